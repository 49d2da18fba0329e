//! Cameras whose pictures a program writes (`exec:`), and the camera modules of a Raspberry Pi.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use hotshoe::camera::Dimensions;
use hotshoe::camera::pixels::{Format, Picture};
use hotshoe_test_support::client::{Viewer, get};
use hotshoe_test_support::pictures::number;
use hotshoe_test_support::server::{Server, command, run};
use hotshoe_test_support::{built_in_pictures, wait_until};
use rustix::process::Signal;
use tempfile::TempDir;

/// A folder with the built-in pictures and a program, which runs there.
struct Program {
    folder: TempDir,
}

impl Program {
    /// Creates a program from these lines of a shell script.
    fn new(script: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (number, picture) in (1..).zip(built_in_pictures()) {
            fs::write(folder.path().join(format!("{number}.jpg")), picture).unwrap();
        }
        let path = folder.path().join("camera-program");
        fs::write(&path, format!("#!/bin/sh\ncd {}\n{script}\n", folder.path().display())).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        Self { folder }
    }

    /// The value of `--camera`.
    fn spec(&self, options: &str) -> String {
        format!("front=exec:{}/camera-program{options}", self.folder.path().display())
    }

    fn serve(&self) -> Server {
        Server::start(&["--camera", &self.spec(""), "--linger", "0.2"])
    }

    /// Waits until the program has written this file, and returns it.
    #[track_caller]
    fn file(&self, name: &str) -> String {
        let path = self.folder.path().join(name);
        wait_until(&format!("{name} is written"), || fs::read_to_string(&path).is_ok_and(|text| text.ends_with('\n')));
        fs::read_to_string(path).unwrap()
    }

    /// The process that wrote its number to this file.
    #[track_caller]
    fn pid(&self, name: &str) -> u32 {
        self.file(name).trim().parse().unwrap()
    }
}

/// Whether a process runs. One that has ended but was not waited for does not count.
fn runs(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

#[track_caller]
fn wait_for_end(pid: u32) {
    wait_until(&format!("process {pid} has ended"), || !runs(pid));
}

/// Waits until the snapshot is refused with this reason.
#[track_caller]
fn wait_for_reason(server: &Server, path: &str, reason: &str) {
    wait_until(&format!("{path} says {reason:?}"), || {
        let reply = get(server.address, path);
        reply.status == 503 && reply.text().contains(reason)
    });
}

/// Writes the built-in pictures in a loop, and its process number to `pid`.
const LOOP: &str = "echo $$ > pid\nwhile :; do cat 1.jpg 2.jpg; sleep 0.02; cat 3.jpg; sleep 0.02; done";

#[test]
fn a_program_runs_while_its_camera_has_readers() {
    let program = Program::new(LOOP);
    let server = program.serve();
    assert!(server.log().contains("camera front: the program camera-program"), "{}", server.log());
    get(server.address, "/");
    assert!(!program.folder.path().join("pid").exists(), "the page alone started it");
    for _ in 0..2 {
        let mut viewer = Viewer::watch(server.address, "/video_feed/front");
        for _ in 0..10 {
            assert!(built_in_pictures().contains(&viewer.part().jpeg));
        }
        let pid = program.pid("pid");
        assert!(runs(pid));
        drop(viewer);
        wait_for_end(pid);
        fs::remove_file(program.folder.path().join("pid")).unwrap();
    }
    server.wait_for_log("camera front: opened at 640x480");
    server.wait_for_logs("camera front: closed, no viewers left; ", 2);
}

#[test]
fn multipart_streams_and_damaged_images_yield_only_whole_pictures() {
    let program = Program::new(
        "head -c 9000 2.jpg > cut.jpg\nwhile :; do\n\
         printf -- '--frame\\r\\nContent-Type: image/jpeg\\r\\nContent-Length: 7\\r\\n\\r\\n'\n\
         cat 1.jpg; printf '\\r\\n'; sleep 0.02; cat cut.jpg 3.jpg; sleep 0.02; done",
    );
    let server = program.serve();
    let mut viewer = Viewer::watch(server.address, "/video_feed/front");
    let pictures = built_in_pictures();
    let mut seen = [0, 0];
    while seen.contains(&0) || seen[0] + seen[1] < 30 {
        let jpeg = viewer.part().jpeg;
        let index = [&pictures[0], &pictures[2]].into_iter().position(|picture| *picture == jpeg);
        seen[index.expect("a damaged picture was sent")] += 1;
    }
    drop(viewer);
    let closed = server.wait_for_log("camera front: closed, no viewers left; ");
    assert!(closed.contains(" malformed"), "{closed}");
}

#[test]
fn of_many_waiting_images_viewers_get_the_newest() {
    let script = "echo $$ > started
        while [ ! -e go ]; do sleep 0.02; done; cat numbered/*.jpg; echo $$ > written; sleep 1000";
    let program = Program::new(script);
    let folder = program.folder.path();
    let numbered = folder.join("numbered");
    fs::create_dir(&numbered).unwrap();
    // Together, they take less than a pipe holds (pipe(7)): 64 KiB.
    let size = Dimensions { width: 16, height: 16 };
    let base = Picture::black(size, Format::Luma).unwrap().encode(50).unwrap().bytes;
    assert!(base.len() < 600, "{}", base.len());
    for number in 0..100_u32 {
        let comment = [&[0xFF, 0xFE, 0, 6], &number.to_be_bytes()[..]].concat();
        fs::write(numbered.join(format!("{number:02}.jpg")), [&base[..2], &comment, &base[2..]].concat()).unwrap();
    }
    let server = program.serve();
    let mut viewer = Viewer::watch(server.address, "/video_feed/front");
    wait_until("the program runs", || folder.join("started").exists());
    // All images are waiting when the server continues.
    server.signal(Signal::STOP);
    fs::write(folder.join("go"), "").unwrap();
    wait_until("all images are written", || folder.join("written").exists());
    server.signal(Signal::CONT);
    let mut parts = 1;
    while number(&viewer.part().jpeg) != 99 {
        parts += 1;
    }
    assert!(parts < 50, "{parts} of 100 images were sent");
    drop(viewer);
    let closed = server.wait_for_log("camera front: closed, no viewers left; ");
    assert!(closed.contains(" late"), "{closed}");
}

#[test]
fn the_exit_code_and_the_last_message_are_the_reason_until_the_program_works() {
    let program = Program::new(&format!(
        "echo x >> starts\ncase $(wc -l < starts) in\n\
         1) echo 'a warning' >&2; echo 'cannot open rtsp://admin:secret@10.0.0.2/' >&2; exit 3;;\n\
         2) kill -9 $$;;\nesac\n{LOOP}"
    ));
    let server = program.serve();
    let mut viewer = Viewer::watch(server.address, "/video_feed/front");
    let log = server.wait_for_log(
        "camera front: camera-program exited with code 3: cannot open rtsp://***@10.0.0.2/*** (retrying)",
    );
    assert!(!log.contains("secret"));
    server.wait_for_log("camera front: camera-program was killed by signal 9");
    let placeholder = viewer.part().jpeg;
    assert!(!built_in_pictures().contains(&placeholder));
    while !built_in_pictures().contains(&viewer.part().jpeg) {}
    assert_eq!(program.file("starts").lines().count(), 3);
}

#[test]
fn a_program_that_dies_is_started_again_under_its_viewers() {
    let program = Program::new(LOOP);
    let server = program.serve();
    let mut viewer = Viewer::watch(server.address, "/video_feed/front");
    viewer.part();
    let first = program.pid("pid");
    rustix::process::kill_process(rustix::process::Pid::from_raw(first as i32).unwrap(), Signal::SEGV).unwrap();
    server.wait_for_log("camera front: camera-program was killed by signal 11");
    wait_until("it was started again", || program.pid("pid") != first);
    while !built_in_pictures().contains(&viewer.part().jpeg) {}
    assert_eq!(server.capture_threads(), 1);
}

#[test]
fn a_program_that_cannot_be_started_is_an_outage_with_advice() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str, mode| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path.display().to_string()
    };
    let denied = file("denied", "#!/bin/sh\n", 0o644);
    let no_interpreter = file("script", "#!/no/such/shell\n", 0o755);
    let spec = |name: &str, path: &str| format!("{name}=exec:{path}");
    let server = Server::start(&[
        "--camera",
        "missing=exec:no-such-program -x",
        "--camera",
        &spec("denied", &denied),
        "--camera",
        &spec("script", &no_interpreter),
    ]);
    let reason = "there is no program no-such-program; install it, or give its full path";
    wait_for_reason(&server, "/snapshot/missing", reason);
    wait_for_reason(&server, "/snapshot/denied", &format!("no permission to run {denied}"));
    let reason = format!("script exited with code 126: cannot run {no_interpreter}: No such file");
    wait_for_reason(&server, "/snapshot/script", &reason);
}

#[test]
fn programs_that_deliver_nothing_are_outages_that_say_what_arrived() {
    let silent = Program::new("echo waiting for a key frame >&2\nsleep 1000");
    let closed = Program::new("exec >&-\nsleep 1000");
    let talkative = Program::new("yes text >&2");
    let other_format = Program::new("yes text");
    let stops = Program::new("cat 1.jpg; sleep 1000");
    let cut = Program::new("head -c 9000 1.jpg > cut.jpg\nwhile :; do cat cut.jpg; sleep 0.1; done");
    let programs = [&silent, &closed, &talkative, &other_format, &stops, &cut];
    let names = ["silent", "closed", "talkative", "other", "stops", "cut"];
    let mut args = Vec::new();
    for (program, name) in programs.into_iter().zip(names) {
        args.extend(["--camera".to_owned(), program.spec("").replace("front=", &format!("{name}="))]);
    }
    let server = Server::start(&args);
    // All are opened now, so that they are waited for at the same time.
    let viewers: Vec<_> =
        names.iter().map(|name| Viewer::watch(server.address, &format!("/video_feed/{name}"))).collect();
    server.wait_for_log("camera other: camera-program sent 1");
    server.wait_for_log("camera stops: no picture from camera-program for 3 seconds: it sent nothing");
    let nothing = "no picture from camera-program for 10 seconds: it sent nothing";
    server.wait_for_log(&format!("camera silent: {nothing}: waiting for a key frame"));
    server.wait_for_log(&format!("camera closed: {nothing}"));
    server.wait_for_log(&format!("camera talkative: {nothing}: text"));
    let log = server.wait_for_log("camera cut: no picture from camera-program for 10 seconds: it sent ");
    assert!(log.contains(" damaged images"), "{log}");
    assert!(server.memory_kib() < 300_000, "{} KiB", server.memory_kib());
    drop(viewers);
}

#[test]
fn a_slow_program_is_no_outage_if_its_rate_is_known() {
    let program = Program::new("while :; do cat 1.jpg; sleep 4; cat 2.jpg; sleep 4; done");
    let server = Server::start(&["--camera", &program.spec(",fps=0.25")]);
    let mut viewer = Viewer::watch(server.address, "/video_feed/front");
    let pictures = built_in_pictures();
    assert_eq!(viewer.part().jpeg, pictures[0]);
    while viewer.part().jpeg != pictures[1] {}
    assert_eq!(server.warnings(), [""; 0]);
}

/// Ignores SIGTERM, and leaves a process that has detached itself.
const STUBBORN: &str = "trap '' TERM\n\
    setsid sh -c 'trap \"\" TERM; echo $$ > detached; while :; do sleep 1; done' &\n\
    echo $$ > pid\nwhile :; do cat 1.jpg; sleep 0.05; done";

#[test]
fn a_program_that_ignores_sigterm_ends_with_its_camera_and_so_do_its_descendants() {
    let program = Program::new(STUBBORN);
    let server = program.serve();
    let mut viewer = Viewer::watch(server.address, "/video_feed/front");
    viewer.part();
    let pids = [program.pid("pid"), program.pid("detached")];
    let leaving = Instant::now();
    drop(viewer);
    pids.into_iter().for_each(wait_for_end);
    assert!(leaving.elapsed() > Duration::from_secs(2), "without a grace time");
    server.wait_for_log("camera front: closed, no viewers left; ");
    // Nothing is left of it in the server either.
    wait_until("the capture thread has ended", || server.capture_threads() == 0);
    let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", server.pid())).unwrap();
    assert_eq!(children, "");
}

/// The capture thread waited for ever, and viewers who came back saw the last picture.
#[test]
fn a_program_whose_supervisor_is_stopped_ends_with_its_camera() {
    let program = Program::new(STUBBORN);
    let server = program.serve();
    let mut viewer = Viewer::watch(server.address, "/video_feed/front");
    viewer.part();
    let pids = [program.pid("pid"), program.pid("detached")];
    signal_supervisor(&server, pids[0], Signal::STOP);
    drop(viewer);
    pids.into_iter().for_each(wait_for_end);
    server.wait_for_log("camera front: closed, no viewers left; ");
    wait_until("the capture thread has ended", || server.capture_threads() == 0);
}

#[test]
fn programs_end_with_the_server_however_it_ends() {
    for signal in [Signal::TERM, Signal::KILL] {
        let program = Program::new(STUBBORN);
        let mut server = program.serve();
        Viewer::watch(server.address, "/video_feed/front").part();
        let pids = [program.pid("pid"), program.pid("detached")];
        server.signal(signal);
        server.wait();
        pids.into_iter().for_each(wait_for_end);
    }
}

/// Sends a signal to the supervising process of a program.
fn signal_supervisor(server: &Server, program: u32, signal: Signal) {
    let status = fs::read_to_string(format!("/proc/{program}/status")).unwrap();
    let parent: i32 = status.lines().find_map(|line| line.strip_prefix("PPid:")).unwrap().trim().parse().unwrap();
    assert_ne!(parent as u32, server.pid());
    rustix::process::kill_process(rustix::process::Pid::from_raw(parent).unwrap(), signal).unwrap();
}

#[test]
fn a_program_survives_sighup_to_its_supervisor_and_ends_if_that_is_killed() {
    let program = Program::new(LOOP);
    let server = program.serve();
    let mut viewer = Viewer::watch(server.address, "/video_feed/front");
    viewer.part();
    let pid = program.pid("pid");
    let send = |signal| signal_supervisor(&server, pid, signal);
    // As from `kill -HUP $(pidof hotshoe)`.
    send(Signal::HUP);
    for _ in 0..10 {
        viewer.part();
    }
    assert!(runs(pid));
    send(Signal::KILL);
    wait_for_end(pid);
    server.wait_for_log("camera-program was stopped, because the process that supervised it was killed");
    while !built_in_pictures().contains(&viewer.part().jpeg) {}
}

#[test]
fn descendants_of_a_program_end_if_its_supervisor_is_killed() {
    let program = Program::new(&format!("sh -c 'echo $$ > pipeline; while :; do sleep 1; done' &\n{STUBBORN}"));
    let server = program.serve();
    let mut viewer = Viewer::watch(server.address, "/video_feed/front");
    viewer.part();
    let pids = ["pid", "pipeline", "detached"].map(|name| program.pid(name));
    signal_supervisor(&server, pids[0], Signal::KILL);
    pids.into_iter().for_each(wait_for_end);
    // Those of the next run live.
    server.wait_for_logs("camera front: opened at 640x480", 2);
    viewer.part();
}

#[test]
fn an_outage_whose_message_differs_only_in_numbers_is_logged_once() {
    let program = Program::new("echo x >> attempts\necho \"attempt $$ failed\" >&2\nexit 3");
    let server = program.serve();
    let _viewer = Viewer::watch(server.address, "/video_feed/front");
    let attempts = || program.file("attempts").lines().count();
    wait_until("the program was started three times", || attempts() >= 3);
    let log = server.log();
    assert_eq!(log.matches("camera front: camera-program exited with code 3").count(), 1, "{log}");
    // Viewers see the present message.
    let first = get(server.address, "/snapshot").text();
    assert!(first.contains("attempt "), "{first}");
    wait_until("the reason is that of a later attempt", || get(server.address, "/snapshot").text() != first);
}

#[test]
fn a_program_inherits_no_descriptors_and_no_variables_of_systemd() {
    let program = Program::new(
        "ls /proc/$$/fd > fds\nreadlink /proc/$$/fd/0 > stdin\n\
         echo \"$NOTIFY_SOCKET$CREDENTIALS_DIRECTORY|$HOTSHOE_TEST\" > environment\n\
         ps -o pgid= -p $$ > group\nexec cat 1.jpg",
    );
    let mut command = command();
    command.args(["--camera", &program.spec("")]);
    command.env("NOTIFY_SOCKET", "/run/x").env("CREDENTIALS_DIRECTORY", "/run/y").env("HOTSHOE_TEST", "inherited");
    let server = Server::start_command(command);
    get(server.address, "/snapshot");
    // The shell holds its script open at 10 or above.
    let fds = program.file("fds");
    let inherited: Vec<_> = fds.split_whitespace().filter(|fd| fd.len() == 1).collect();
    assert_eq!(inherited, ["0", "1", "2"], "{fds}");
    assert_eq!(program.file("stdin").trim(), "/dev/null");
    assert_eq!(program.file("environment").trim(), "|inherited");
}

#[test]
fn arguments_reach_the_program_as_documented() {
    let program = Program::new("for word; do echo \"<$word>\"; done > words\necho end >> words\nexec cat 1.jpg");
    let spec = program.spec(" -f 'two words' \"a,,b\" $HOME *.jpg,label=Front");
    let server = Server::start(&["--camera", &spec]);
    get(server.address, "/snapshot");
    program.file("words");
    wait_until("all words are written", || program.file("words").ends_with("end\n"));
    assert_eq!(program.file("words"), "<-f>\n<two words>\n<a,b>\n<$HOME>\n<*.jpg>\nend\n");
    let refused = run(["--camera", "exec:ffmpeg | tee"]);
    let message = String::from_utf8(refused.stderr).unwrap();
    assert!(message.contains("there is no shell") && message.contains("exec:sh -c"), "{message}");
}

/// Starts a server with only this folder and the system's own programs in `PATH`.
fn serve_with_path(folder: &Path, camera: &str) -> Server {
    let mut command = command();
    command.args(["--camera", camera]).env("PATH", format!("{}:/usr/bin:/bin", folder.display()));
    Server::start_command(command)
}

#[test]
fn a_camera_module_is_read_with_rpicam_vid_or_its_older_name() {
    for name in ["rpicam-vid", "libcamera-vid"] {
        let program = Program::new("echo \"$@\" > arguments\nwhile :; do cat 1.jpg; sleep 0.05; done");
        let folder = program.folder.path();
        fs::rename(folder.join("camera-program"), folder.join(name)).unwrap();
        let server = serve_with_path(folder, "front=rpicam:1,size=1280x720,fps=15,quality=90");
        assert!(server.log().contains("camera front: Raspberry Pi camera module 1"), "{}", server.log());
        assert_eq!(get(server.address, "/snapshot").body, built_in_pictures()[0]);
        assert_eq!(
            program.file("arguments").trim(),
            "--timeout 0 --nopreview --codec mjpeg --flush --output - --camera 1 --width 1280 --height 720 \
             --framerate 15 --quality 90"
        );
    }
}

#[test]
fn without_rpicam_vid_the_reason_says_how_to_install_it() {
    let server = serve_with_path(Path::new("/nowhere"), "rpicam");
    let reason =
        "there is no program rpicam-vid; install it on Raspberry Pi OS with: sudo apt install rpicam-apps-lite";
    wait_for_reason(&server, "/snapshot", reason);
}
