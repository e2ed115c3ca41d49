//! Whatever a file holds, it is read or refused: at once, and without a panic.

use std::path::Path;
use std::time::Instant;

use sabir_config::{Format, Loader};

const FORMATS: [Format; 3] = [Format::Toml, Format::Yaml, Format::Json];

fn load(text: &str, format: Format) -> Result<(), String> {
    Loader::new().text("f", text, format).load().map(|_| ()).map_err(|faults| faults.to_string())
}

fn own() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/spec");
    let files = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    files.filter_map(|path| std::fs::read_to_string(path).ok()).collect()
}

#[test]
fn a_file_that_is_cut_anywhere_is_refused_or_read() {
    for text in own() {
        // Every byte of the short ones, every seventh of the long one.
        let step = if text.len() > 1_000 { 7 } else { 1 };
        for end in (0..text.len()).step_by(step) {
            let Some(cut) = text.get(..end) else { continue };
            for format in FORMATS {
                let _ = load(cut, format);
            }
        }
    }
}

#[test]
fn a_file_with_a_wrong_byte_is_refused_or_read() {
    let mut state = 7_u64;
    for text in own() {
        for _ in 0..300 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let at = usize::try_from(state >> 33).expect("small") % text.len();
            let with = b"{}[]:,\"'#&*!|>-=\n\t\0%@`$~"[usize::try_from(state >> 20).unwrap_or(0) % 24];
            let mut bytes = text.clone().into_bytes();
            bytes[at] = with;
            let Ok(text) = String::from_utf8(bytes) else { continue };
            for format in FORMATS {
                let _ = load(&text, format);
            }
        }
    }
}

#[test]
fn what_grows_is_refused_before_it_is_large() {
    let begun = Instant::now();
    // A list of nine lists of nine lists …
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let below = vec![format!("*a{}", level - 1); 9].join(", ");
        bomb.extend([format!("a{level}: &a{level} [{below}]\n")]);
    }
    assert!(load(&bomb, Format::Yaml).expect_err("too large").contains("comes to more than"));
    for (open, close, format) in [
        ("[", "]", Format::Json),
        ("[", "]", Format::Yaml),
        ("{a: ", "}", Format::Yaml),
        ("{\"a\":", "}", Format::Json),
    ] {
        let deep = format!("{}1{}", open.repeat(20_000), close.repeat(20_000));
        load(&deep, format).expect_err("too deep");
    }
    load(&format!("a = {}1{}", "[".repeat(20_000), "]".repeat(20_000)), Format::Toml).expect_err("too deep");
    assert!(load(&" ".repeat(2 << 20), Format::Toml).expect_err("too long").contains("is longer than"));
    let wide = (0..5_000).map(|n| format!("k{n} = 1\n")).collect::<Vec<_>>().concat();
    load(&wide, Format::Toml).expect_err("no fields");
    let wide = format!("{{{}}}", (0..5_000).map(|n| format!("\"k{n}\": 1")).collect::<Vec<_>>().join(","));
    load(&wide, Format::Json).expect_err("no fields");
    // Minutes, were any of it quadratic or worse in a way that matters.
    assert!(begun.elapsed().as_secs() < 60, "{:?}", begun.elapsed());
}
