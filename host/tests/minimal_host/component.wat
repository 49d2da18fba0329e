;; A component that reads a camera, as a core module for the world in world.wit.
(module
  (import "hotshoe:camera/cameras@0.2.0" "[static]feed.open" (func $open (param i32 i32 i32)))
  (import "hotshoe:camera/cameras@0.2.0" "[method]feed.blocking-next" (func $blocking_next (param i32 i64 i32)))
  (import "hotshoe:camera/cameras@0.2.0" "[method]feed.placeholder" (func $placeholder (param i32 i32)))
  (import "hotshoe:camera/cameras@0.2.0" "[resource-drop]feed" (func $drop_feed (param i32)))
  (import "hotshoe:camera/frames@0.2.0" "[method]image.info" (func $info (param i32 i32)))
  (import "hotshoe:camera/frames@0.2.0" "[method]image.read" (func $read (param i32 i32)))
  (import "hotshoe:camera/frames@0.2.0" "[resource-drop]image" (func $drop_image (param i32)))

  ;; Results of imports are written to address 0, results of exports to address 128.
  (memory (export "memory") 1)

  ;; The host allocates arguments and lists with this function. Nothing is freed.
  (global $top (mut i32) (i32.const 1024))
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (local $address i32)
    (local.set $address (i32.and (i32.add (global.get $top) (i32.const 7)) (i32.const -8)))
    (global.set $top (i32.add (local.get $address) (local.get 3)))
    (local.get $address))

  ;; Returns `some(value)` or `none`.
  (func $option (param $is_some i32) (param $value i64) (result i32)
    (i32.store (i32.const 128) (local.get $is_some))
    (i64.store (i32.const 136) (local.get $value))
    (i32.const 128))

  (func (export "checksum") (param $name i32) (param $length i32) (result i32)
    (local $feed i32) (local $image i32) (local $sum i64) (local $at i32) (local $end i32)
    (call $open (local.get $name) (local.get $length) (i32.const 0))
    (if (i32.load8_u (i32.const 0)) (then (return (call $option (i32.const 0) (i64.const 0)))))
    (local.set $feed (i32.load (i32.const 4)))
    ;; Wait for up to 100 ms: result<option<frame>, error-code>, in which the image is at offset 48.
    (call $blocking_next (local.get $feed) (i64.const 100000000) (i32.const 0))
    (if (i32.load8_u (i32.const 0)) (then unreachable))
    (if (i32.eqz (i32.load8_u (i32.const 8)))
      (then
        (call $drop_feed (local.get $feed))
        (return (call $option (i32.const 0) (i64.const 0)))))
    (local.set $image (i32.load (i32.const 48)))
    (call $read (local.get $image) (i32.const 0))
    (local.set $at (i32.load (i32.const 0)))
    (local.set $end (i32.add (local.get $at) (i32.load (i32.const 4))))
    (loop $next
      (local.set $sum (i64.add (local.get $sum) (i64.load8_u (local.get $at))))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $at) (local.get $end))))
    (call $drop_image (local.get $image))
    (call $drop_feed (local.get $feed))
    (call $option (i32.const 1) (local.get $sum)))

  (func (export "placeholder-length") (param $name i32) (param $length i32) (result i32)
    (local $feed i32) (local $image i32) (local $bytes i64)
    (call $open (local.get $name) (local.get $length) (i32.const 0))
    (if (i32.load8_u (i32.const 0)) (then unreachable))
    (local.set $feed (i32.load (i32.const 4)))
    ;; result<option<image>, error-code>
    (call $placeholder (local.get $feed) (i32.const 0))
    (call $drop_feed (local.get $feed))
    (if (i32.load8_u (i32.const 0)) (then unreachable))
    (if (i32.eqz (i32.load8_u (i32.const 4))) (then (return (call $option (i32.const 0) (i64.const 0)))))
    (local.set $image (i32.load (i32.const 8)))
    ;; In image-info, the length is at offset 24.
    (call $info (local.get $image) (i32.const 0))
    (local.set $bytes (i64.load (i32.const 24)))
    (call $drop_image (local.get $image))
    (call $option (i32.const 1) (local.get $bytes))))
