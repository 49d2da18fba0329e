//! A minimal host of `hotshoe:camera`, independent of Hotshoe and without HTTP, with a component that uses it.
//!
//! [`host`] implements the interfaces for a fake camera. Start from it to offer your own cameras to components.
//! `component.wat` is the component: it reads frames and placeholders, and returns numbers that depend on their bytes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

mod host;

use hotshoe_test_support::guests;
use wasmtime::component::{Component, Linker};
use wasmtime::{Engine, Store};

use host::{Example, Fake, HostState, example_linker};

/// The world of the component; `host` generates its bindings from the same text.
const WORLD: &str = include_str!("world.wit");

/// A running component, and the fake camera that it sees.
struct Fixture {
    camera: Fake,
    store: Store<HostState>,
    example: Example,
}

impl Fixture {
    async fn start() -> Self {
        let engine = Engine::default();
        let component = guests::encode_module(include_str!("component.wat"), "wit/camera", WORLD, "example");
        let component = Component::from_binary(&engine, &component).unwrap();
        let linker: Linker<HostState> = example_linker(&engine).unwrap();
        let camera = Fake::new("front");
        let mut store = Store::new(&engine, HostState::new(camera.clone()));
        let example = Example::instantiate_async(&mut store, &component, &linker).await.unwrap();
        Self { camera, store, example }
    }

    async fn checksum(&mut self, camera: &str) -> Option<u64> {
        self.example.call_checksum(&mut self.store, camera).await.unwrap()
    }

    async fn placeholder_length(&mut self, camera: &str) -> Option<u64> {
        self.example.call_placeholder_length(&mut self.store, camera).await.unwrap()
    }
}

#[tokio::test]
async fn a_component_reads_frames() {
    let mut fixture = Fixture::start().await;
    assert_eq!(fixture.checksum("front").await, None, "there is no frame yet");
    for (bytes, sum) in [(&[1, 2, 3][..], 6), (&[255; 100], 25_500)] {
        fixture.camera.deliver(bytes);
        assert_eq!(fixture.checksum("front").await, Some(sum));
    }
}

#[tokio::test]
async fn a_component_skips_to_the_newest_frame() {
    let mut fixture = Fixture::start().await;
    (1..=50).for_each(|number| fixture.camera.deliver(&[number]));
    assert_eq!(fixture.checksum("front").await, Some(50));
}

#[tokio::test]
async fn a_component_waits_for_a_frame() {
    let mut fixture = Fixture::start().await;
    let camera = fixture.camera.clone();
    let ((), checksum) = tokio::join!(async { camera.deliver(&[7]) }, fixture.checksum("front"));
    assert_eq!(checksum, Some(7));
}

#[tokio::test]
async fn a_placeholder_is_not_a_frame() {
    let mut fixture = Fixture::start().await;
    fixture.camera.deliver(&[1]);
    assert_eq!(fixture.placeholder_length("front").await, None);
    fixture.camera.unplug();
    assert_eq!(fixture.checksum("front").await, None);
    assert_eq!(fixture.placeholder_length("front").await, Some(host::PLACEHOLDER.len() as u64));
}

#[tokio::test]
async fn unknown_cameras_are_an_error() {
    let mut fixture = Fixture::start().await;
    assert_eq!(fixture.checksum("yard").await, None);
}
