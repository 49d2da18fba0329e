//! The worker. What it does depends on the environment.

use crate::exports::hotshoe::server::worker::Guest;
use crate::hotshoe::camera::cameras::Feed;
use crate::hotshoe::server::generations::wait_replaced;
use crate::{Component, MILLISECOND, leak, spin, wait_for};

impl Guest for Component {
    async fn run() {
        let Ok(work) = std::env::var("WORK") else { return };
        println!("working");
        match work.as_str() {
            "trap" => panic!("out of coffee"),
            "spin" => spin(),
            "leak" => leak(),
            "wait" => {
                wait_replaced().await;
                println!("replaced");
                // Until the drain time.
                wait_for(3_600_000 * MILLISECOND).await;
            }
            "read" => {
                let feed = Feed::open("emulated").unwrap();
                let frame = feed.wait_next(4_000 * MILLISECOND).await.unwrap().unwrap();
                println!("read {} bytes", frame.image.read().len());
            }
            _ => {}
        }
    }
}
