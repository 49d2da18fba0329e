//! An encoder for baseline JPEG images (ITU-T T.81) with 4:2:0 chroma, or with luma alone.

mod bit_writer;
mod blocks;
mod codes;
mod dct;
mod headers;
mod quantizer;
mod scan;
mod tables;
mod zigzag;

pub(super) use blocks::{Block, Mcu};
pub(super) use headers::Components;
pub(super) use quantizer::Stretch;
pub(super) use tables::Tables;
