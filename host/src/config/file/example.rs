//! A file with all keys, for `hotshoe config example`.

use std::fmt::Write as _;

use clap::Arg;

use super::key::{OptionKey, OptionKind};
use super::option::definitions;

const HEAD: &str = "\
# Configuration of Hotshoe. Keys are the options of `hotshoe --help`, with `_` for `-`. The command line and the
# environment (such as HOTSHOE_LISTEN) override them. Lines that begin with `#` and a key show defaults.
# `hotshoe config check FILE` checks the file.
";

const SECTIONS: &str = r#"

# ---- Cameras: a section for each. The keys are the options of --camera.

#[cameras.front]
#source = "/dev/video0"
#size = "1280x720"
#fps = 30
#control = { brightness = 128 }
#label = "Front door"

#[cameras.yard]
#source = "http://printer.local/webcam/?action=stream"
#credentials = "/etc/hotshoe/yard.credentials"
#keep_open = true


# ---- Users and tokens: with them, every request needs one. They may also be in the file of `users`.
# `hotshoe passwd NAME` prints the section of a user. With a `password` here, no other user may access this file.

#[users.ann]
#password_file = "/etc/hotshoe/ann.hash"
#role = "control"

#[tokens]
#secret_file = "/etc/hotshoe/token-secret"
#revoked = []


# ---- The certificate, for addresses with `tls:` in front. Also as `tls_certificate` and `tls_key`.

#[tls]
#certificate = "/etc/hotshoe/tls/fullchain.pem"
#key = "/etc/hotshoe/tls/privkey.pem"
"#;

/// Returns a file in which every key is a comment with its default, and that is valid as it is.
pub fn example() -> String {
    let mut text = HEAD.to_owned();
    let mut heading = None;
    let definitions = definitions();
    for (option, arg) in &definitions {
        if option.key == "camera" {
            continue;
        }
        if heading != arg.get_help_heading() {
            heading = arg.get_help_heading();
            // Writing to a string cannot fail.
            let _ = write!(text, "\n\n# ---- {}\n", heading.unwrap_or("Options"));
        }
        let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
        let _ = write!(text, "\n# {help}\n#{} = {}\n", option.key, value(option, arg));
    }
    text + SECTIONS
}

/// The default of an option, or else what it stands for.
fn value(option: &OptionKey, arg: &Arg) -> String {
    let defaults: Vec<_> = arg.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
    let placeholder = || {
        let name = arg.get_value_names().and_then(|names| names.first());
        quote(name.map_or("", |name| name.as_str()))
    };
    match option.kind {
        OptionKind::Flag => "false".to_owned(),
        OptionKind::Single => match defaults.first() {
            Some(number) if number.parse::<f64>().is_ok() => number.to_string(),
            Some(text) => quote(text),
            None => placeholder(),
        },
        OptionKind::Repeatable if defaults.is_empty() => format!("[{}]", placeholder()),
        OptionKind::Repeatable => {
            format!("[{}]", defaults.iter().map(|text| quote(text)).collect::<Vec<_>>().join(", "))
        }
    }
}

fn quote(text: &str) -> String {
    format!("\"{text}\"")
}

#[cfg(test)]
mod tests {
    use super::super::ConfigFile;
    use super::*;

    #[test]
    fn the_example_is_valid_with_its_defaults_and_cameras() {
        let text = example();
        ConfigFile::parse(&text).unwrap();
        let definitions = definitions();
        let has_default = |key: &str| {
            definitions.iter().any(|(option, arg)| {
                option.key == key && (option.kind == OptionKind::Flag || !arg.get_default_values().is_empty())
            })
        };
        let (keys, sections) = text.split_once("[cameras.front]").unwrap();
        let uncommented = |line: &str| {
            let line = line.strip_prefix('#')?;
            has_default(line.split_once(" = ")?.0).then(|| format!("{line}\n"))
        };
        let keys: String = keys.lines().filter_map(uncommented).collect();
        assert!(keys.contains("listen = [\"127.0.0.1:5000\"]\n") && keys.contains("max_requests = 1000\n"), "{keys}");
        // Comments have a space after the sign.
        let sections = format!("[cameras.front]{sections}").replace("\n# ", "\n## ").replace("\n#", "\n");
        let all = format!("{keys}{sections}");
        ConfigFile::parse(&all).unwrap_or_else(|problems| panic!("{problems:?}\n{all}"));
    }
}
