//! The smallest guest that streams: a table with a million rows, each made when the client can take it. The whole table
//! never is in memory.
//!
//! `/?rows=COUNT` has another number of rows.

use bindings::exports::wasi::http::incoming_handler::Guest;
use response::http::{IncomingRequest, ResponseOutparam};

mod bindings {
    wit_bindgen::generate!({
        path: "../../../wit/server",
        world: "hotshoe:server/guest",
        with: { "wasi:http/types@0.2.12": response::http },
        generate_all,
    });
}

struct Component;

bindings::export!(Component with_types_in bindings);

/// The number of rows unless the client wants another.
const ROWS: u64 = 1_000_000;

const HEAD: &str = "<!DOCTYPE html>
<html lang=\"en\">
<meta charset=\"utf-8\">
<title>Stocks</title>
<style>td { padding: 0 1rem; text-align: right } body { font-family: system-ui }</style>
<h1>Stocks</h1>
<table>
<tr><th>Row<th>Symbol<th>Price<th>Change
";

impl Guest for Component {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let path = request.path_with_query().unwrap_or_default();
        let rows = path.split_once("rows=").map_or(Some(ROWS), |(_, rows)| rows.parse().ok());
        let (status, head) = if rows.is_some() { (200, HEAD) } else { (400, "rows= is a number\n") };
        response::send(out, status, &[("content-type", "text/html; charset=utf-8")], |body| {
            body.write(head.as_bytes())?;
            let mut prices = Prices::new();
            // A write returns when the client can take more. It fails if the client has gone.
            (1..=rows.unwrap_or_default()).try_for_each(|row| body.write(prices.row(row).as_bytes()))
        });
    }
}

/// Prices that change at random, but each time in the same way.
struct Prices {
    random: u64,
    /// In cents.
    prices: [u64; SYMBOLS.len()],
}

const SYMBOLS: [&str; 5] = ["LENS", "FLSH", "TRPD", "FILM", "SHTR"];

impl Prices {
    fn new() -> Self {
        Self { random: 0x2545_F491_4F6C_DD1D, prices: [10_000; SYMBOLS.len()] }
    }

    /// The next row. Each symbol has its turn.
    fn row(&mut self, number: u64) -> String {
        // Marsaglia, "Xorshift RNGs", 2003.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let index = (number % SYMBOLS.len() as u64) as usize;
        let (symbol, price) = (SYMBOLS[index], &mut self.prices[index]);
        let change = (self.random % 201) as i64 - 100;
        *price = price.saturating_add_signed(change).max(100);
        let sign = if change < 0 { '-' } else { '+' };
        let cents = |cents: u64| format!("{}.{:02}", cents / 100, cents % 100);
        let (price, change) = (cents(*price), cents(change.unsigned_abs()));
        format!("<tr><td>{number}<td>{symbol}<td>{price}<td>{sign}{change}\n")
    }
}
