//! Finds the model, which is a file of the package `rustface`.

use std::process::Command;
use std::{env, fs};

fn main() {
    let cargo = env::var_os("CARGO").expect("cargo sets CARGO");
    let target = env::var("TARGET").expect("cargo sets TARGET");
    let mut metadata = Command::new(cargo);
    // Packages for other platforms need not be there.
    metadata.args(["metadata", "--format-version", "1", "--locked", "--offline", "--filter-platform", &target]);
    let output = metadata.output().expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("cargo writes JSON");
    let mut paths = text.split("\"manifest_path\":\"").skip(1).filter_map(|text| text.split('"').next());
    let manifest = paths.find(|path| path.contains("/rustface-")).expect("rustface is a dependency");
    let model = manifest.replace("Cargo.toml", "model/seeta_fd_frontal_v1.0.bin");
    assert!(fs::exists(&model).is_ok_and(|exists| exists), "{model} is missing");
    println!("cargo::rustc-env=FACE_MODEL={model}");
    println!("cargo::rerun-if-changed=Cargo.toml");
}
