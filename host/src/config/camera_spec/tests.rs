use super::*;
use crate::camera::Rotation;
use crate::camera::network::AddressError;
use crate::camera::piped::{CommandLine, CommandLineError};

fn parse(input: &str) -> Result<CameraSpec, CameraSpecError> {
    input.parse()
}

#[test]
fn all_options_can_be_combined() {
    assert_eq!(
        parse(
            "front=/dev/video0,size=1280x720,fps=29.97,format=yuyv,quality=90,crop=640x480+320+0,rotate=270,flip=vertical,\
             buffers=8,input=HDMI 0,standard=PAL,control=gain:-3,focus:0,\
             label=Front door,, left,filter=mask.wasm?areas=0x0_1x0_1x1&mosaic=2,remember=10s,keep-open"
        ),
        Ok(CameraSpec {
            name: Some("front".into()),
            source: SourceSpec::Device("/dev/video0".into()),
            size: Some(Dimensions { width: 1280, height: 720 }),
            rate: Some(29.97),
            format: Some(FourCc(*b"YUYV")),
            quality: Some(90),
            crop: Some(Rectangle { left: 320, top: 0, size: Dimensions { width: 640, height: 480 } }),
            orientation: Some(Orientation {
                rotation: Rotation::ThreeQuarters,
                flip_horizontally: false,
                flip_vertically: true
            }),
            buffers: Some(8),
            input: Some("HDMI 0".into()),
            standard: Some("PAL".into()),
            controls: vec![("gain".into(), -3), ("focus".into(), 0)],
            label: Some("Front door, left".parse().unwrap()),
            credentials: None,
            is_insecure: false,
            driver: DriverSpec::default(),
            filters: vec![FilterSpec {
                file: "mask.wasm".into(),
                configuration: vec![("areas".into(), "0x0_1x0_1x1".into()), ("mosaic".into(), "2".into())],
            }],
            memory: Some(Duration::from_secs(10)),
            keep_open: true,
        })
    );
}

#[test]
fn the_time_to_remember_is_limited() {
    assert_eq!(parse("emulated,remember=0.5").unwrap().memory, Some(Duration::from_millis(500)));
    assert_eq!(parse("emulated,remember=600s").unwrap().memory, Some(Duration::from_secs(600)));
    for wrong in ["", "s", "0", "-1", "601", "1m", "NaN", "inf", "1e9"] {
        let error = CameraSpecError::InvalidMemory(wrong.into());
        assert_eq!(parse(&format!("emulated,remember={wrong}")), Err(error), "{wrong}");
    }
}

#[test]
fn filters_have_a_file_and_a_configuration() {
    let files = |text: &str| parse(text).map(|spec| spec.filters.into_iter().map(|filter| filter.file).collect());
    assert_eq!(files("auto,filter=a.wasm,filter=b.wasm"), Ok(vec!["a.wasm".into(), "b.wasm".into()]));
    // Also of a camera whose driver gets the options that the host does not know.
    assert_eq!(files("component:driver.wasm,filter=a.wasm"), Ok(vec!["a.wasm".into()]));
    for wrong in ["", "?a=b", "a.wasm?", "a.wasm?b", "a.wasm?=b", "a.wasm?b=c&"] {
        let error = CameraSpecError::InvalidFilter(wrong.into());
        assert_eq!(parse(&format!("auto,filter={wrong}")).err(), Some(error), "{wrong}");
    }
}

#[test]
fn sources_are_keywords_or_paths() {
    assert_eq!(parse("auto").unwrap().source, SourceSpec::Auto);
    assert_eq!(parse("emulated").unwrap().source, SourceSpec::Emulated(None));
    assert_eq!(parse("yard=emulated:frames").unwrap().source, SourceSpec::Emulated(Some("frames".into())));
    assert_eq!(parse("emulated:test-pattern").unwrap().source, SourceSpec::TestPattern);
    assert_eq!(parse("emulated:./test-pattern").unwrap().source, SourceSpec::Emulated(Some("./test-pattern".into())));
    assert_eq!(parse("rpicam").unwrap().source, SourceSpec::Rpicam(0));
    assert_eq!(parse("rpicam:1,size=640x480,fps=30,quality=90").unwrap().source, SourceSpec::Rpicam(1));
    assert_eq!(parse("rpicam:one"), Err(CameraSpecError::InvalidModule("one".into())));
    assert_eq!(parse("in=stdin,fps=2").unwrap().source, SourceSpec::Stdin);
    assert_eq!(parse("pipe:/run/cam").unwrap().source, SourceSpec::Pipe("/run/cam".into()));
    assert_eq!(parse("pipe:"), Err(CameraSpecError::UnknownSource("pipe:".into())));
    assert_eq!(parse("./cam").unwrap().source, SourceSpec::Device("./cam".into()));
    assert_eq!(parse("webcam"), Err(CameraSpecError::UnknownSource("webcam".into())));
    assert_eq!(parse(""), Err(CameraSpecError::UnknownSource("".into())));
    assert_eq!(parse("emulated:"), Err(CameraSpecError::UnknownSource("emulated:".into())));
}

#[test]
fn commands_are_split_into_words() {
    let command = |input: &str| -> Result<String, CameraSpecError> {
        match parse(input)?.source {
            SourceSpec::Exec(CommandLine { program, arguments }) => Ok([vec![program], arguments].concat().join("|")),
            other => panic!("{other:?}"),
        }
    };
    let with_commas = "door=exec:ffmpeg -vf 'fps=5,,scale=640:-1' -f mjpeg -,label=Door";
    assert_eq!(command(with_commas).unwrap(), "ffmpeg|-vf|fps=5,scale=640:-1|-f|mjpeg|-");
    assert_eq!(parse(with_commas).unwrap().name.as_deref(), Some("door"));
    assert_eq!(command("exec:/opt/cam --mode=fast").unwrap(), "/opt/cam|--mode=fast");
    assert_eq!(command("exec:"), Err(CommandLineError::Empty.into()));
    assert_eq!(command("exec:a | b"), Err(CommandLineError::ShellOperator("|".into()).into()));
}

#[test]
fn network_cameras_have_their_own_options() {
    let spec = parse("pi=http://pi.local:5000/?action=stream,fps=2,credentials=/etc/a,,b,insecure").unwrap();
    assert_eq!(spec.name.as_deref(), Some("pi"));
    assert_eq!(spec.source, SourceSpec::Network("http://pi.local:5000/?action=stream".parse().unwrap()));
    assert_eq!((spec.credentials, spec.is_insecure), (Some("/etc/a,b".into()), true));
    assert_eq!(parse("HTTPS://[::1]/a=b").unwrap().name, None);
    for address in ["http:", "http://", "https://:80/", "httpx://pi/", "http://pi:99999/"] {
        assert_eq!(parse(address), Err(CameraSpecError::InvalidAddress(AddressError::Invalid)), "{address}");
    }
    let unsupported = |kind, option| Err(CameraSpecError::UnsupportedOption(kind, option));
    assert_eq!(parse("http://pi/,size=1x1"), unsupported("a network camera", "size="));
    assert_eq!(parse("emulated,credentials=x"), unsupported("an emulated camera", "credentials="));
    assert_eq!(parse("/dev/video0,insecure"), unsupported("a device", "insecure"));
}

#[test]
fn an_equals_sign_in_a_path_does_not_end_a_name() {
    let by_path = parse("/dev/v4l/by-path/pci=1-usb").unwrap();
    assert_eq!(by_path.name, None);
    assert_eq!(by_path.source, SourceSpec::Device("/dev/v4l/by-path/pci=1-usb".into()));
    assert_eq!(parse("emulated:a=b").unwrap().source, SourceSpec::Emulated(Some("a=b".into())));
}

#[test]
fn a_doubled_comma_belongs_to_the_path_or_value() {
    let folder = |input| match parse(input).unwrap().source {
        SourceSpec::Emulated(Some(folder)) => folder,
        other => panic!("{other:?}"),
    };
    assert_eq!(folder("emulated:a,,b"), PathBuf::from("a,b"));
    assert_eq!(folder("emulated:,,,,"), PathBuf::from(",,"));
    assert_eq!(folder("yard=emulated:a,,,fps=5"), PathBuf::from("a,"), "the first two are one comma");
    assert_eq!(parse("/dev/v4l/by-id/a,,b,fps=5").unwrap().source, SourceSpec::Device("/dev/v4l/by-id/a,b".into()));
    assert_eq!(parse("auto,,fps=5"), Err(CameraSpecError::InvalidName("auto,fps".into())));
    let label = |input: &str| parse(input).unwrap().label.unwrap().to_string();
    assert_eq!(label("auto,label=\u{7384}\u{95a2}=a:b/c,fps=5"), "\u{7384}\u{95a2}=a:b/c");
    assert!(matches!(parse("auto,label="), Err(CameraSpecError::InvalidLabel(..))));
    assert!(matches!(parse("auto,label=a\nb"), Err(CameraSpecError::InvalidLabel(..))));
}

#[test]
fn a_driver_gets_every_option_that_the_host_does_not_handle() {
    let spec = parse(
        "porch=component:a=b.wasm,size=8x6,quality=9,fps=2,flip=both,flag,x=a=b,,c,dir=/srv,env=A:1:2,env-file=B:/b,\
         allow-outgoing=http://a=10.0.0.0/8,label=P,keep-open,remember=1",
    )
    .unwrap();
    assert_eq!((spec.source, spec.name.as_deref()), (SourceSpec::Component("a=b.wasm".into()), Some("porch")));
    assert_eq!((spec.rate, spec.quality, spec.keep_open, spec.memory.is_some()), (Some(2.0), None, true, true));
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let expected = DriverSpec {
        options: vec![pair("quality", "9"), pair("flag", ""), pair("x", "a=b,c")],
        directory: Some("/srv".into()),
        environment: vec![pair("A", "1:2")],
        environment_files: vec![("B".to_owned(), "/b".into())],
        outgoing: vec!["http://a=10.0.0.0/8".to_owned()],
    };
    assert_eq!(spec.driver, expected);
    for option in ["", "=x"] {
        let error = CameraSpecError::InvalidDriverOption(option.into());
        assert_eq!(parse(&format!("component:a,{option}")), Err(error));
    }
    for option in ["env=", "env=A", "env=:x"] {
        assert_eq!(parse(&format!("component:a,{option}")), Err(CameraSpecError::InvalidEnvironment("env")));
    }
    assert_eq!(parse("component:"), Err(CameraSpecError::UnknownSource("component:".into())));
}

#[test]
fn names_need_no_escaping() {
    for name in ["a", "front-door_2", &"n".repeat(MAX_NAME_LENGTH)] {
        assert_eq!(parse(&format!("{name}=auto")).unwrap().name.as_deref(), Some(name));
    }
    for name in ["", "front door", "caf\u{e9}", "<b>", "a%20b", &"n".repeat(MAX_NAME_LENGTH + 1)] {
        assert_eq!(parse(&format!("{name}=auto")), Err(CameraSpecError::InvalidName(name.into())));
    }
}

#[test]
fn invalid_options_are_rejected() {
    for size in ["", "640", "x480", "640x", "0x0", "-1x4", "640x480x2", "99999x1"] {
        assert_eq!(parse(&format!("/dev/video0,size={size}")), Err(CameraSpecError::InvalidSize(size.into())));
    }
    for rate in ["", "0", "-1", "nan", "inf", "1e9", "fast"] {
        assert_eq!(parse(&format!("emulated,fps={rate}")), Err(CameraSpecError::InvalidRate(rate.into())));
    }
    assert_eq!(parse("auto,colour=red"), Err(CameraSpecError::UnknownOption("colour=red".into())));
    assert_eq!(parse("auto,"), Err(CameraSpecError::UnknownOption("".into())));
    for option in ["size=1x1", "format=MJPG", "quality=1", "crop=1x1+0+0"] {
        let name = &option[..=option.find("=").unwrap()];
        for (source, kind) in [("emulated", "an emulated camera"), ("exec:a", "a program"), ("stdin", "standard input")]
        {
            let expected = CameraSpecError::UnsupportedOption(kind, name);
            assert_eq!(parse(&format!("{source},{option}")), Err(expected));
        }
    }
    for code in ["", "MJPEG", "\u{fc}"] {
        assert_eq!(parse(&format!("auto,format={code}")), Err(CameraSpecError::InvalidFormat(code.into())));
    }
    assert_eq!(parse("auto,format=auto").unwrap().format, None);
    for quality in ["", "0", "101", "best"] {
        assert_eq!(parse(&format!("auto,quality={quality}")), Err(CameraSpecError::InvalidQuality(quality.into())));
    }
    for area in ["", "640x480", "640x480+1", "640x480+1+2+3", "640x480+-1+0", "0x1+0+0", "640x480++", "1x1+0+99999"] {
        assert_eq!(parse(&format!("auto,crop={area}")), Err(CameraSpecError::InvalidCrop(area.into())));
    }
    for rotation in ["", "45", "360", "-90", "left"] {
        assert_eq!(
            parse(&format!("emulated,rotate={rotation}")),
            Err(CameraSpecError::InvalidRotation(rotation.into()))
        );
    }
    for count in ["", "1", "33", "many"] {
        assert_eq!(parse(&format!("auto,buffers={count}")), Err(CameraSpecError::InvalidBuffers(count.into())));
    }
    assert_eq!(parse("auto,input="), Err(CameraSpecError::EmptyName("input")));
    for flip in ["", "left", "BOTH", "1"] {
        assert_eq!(parse(&format!("emulated,flip={flip}")), Err(CameraSpecError::InvalidFlip(flip.into())));
    }
    assert_eq!(parse("emulated,rotate=0,flip=none").unwrap().orientation, Some(Orientation::default()));
    for control in ["", "gain", "gain:", ":1", "gain:high", "gain:1.5"] {
        assert_eq!(parse(&format!("auto,control={control}")), Err(CameraSpecError::InvalidControl(control.into())));
    }
    assert_eq!(parse("auto,gain:1"), Err(CameraSpecError::UnknownOption("gain:1".into())));
}
