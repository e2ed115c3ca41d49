//! Configurations that are wrong, each with exactly what is said of it.

use std::path::Path;

use sabir_config::{Format, Loader};

/// With `SABIR_BLESS` in the environment the expectations are written instead: to be read before they are committed.
#[test]
fn every_broken_file_says_exactly_what_is_wrong() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/broken");
    let mut files: Vec<_> =
        std::fs::read_dir(&folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    let mut said = String::new();
    let mut count = 0;
    for path in files {
        let Some(format) = Format::of(&path) else { continue };
        let name = path.file_name().expect("a name").to_str().expect("text");
        let text = std::fs::read_to_string(&path).expect("a file");
        let faults = Loader::new().text(name, text, format).load().expect_err(name);
        said.extend([format!("{faults}\n\n")]);
        count += 1;
    }
    assert!(count >= 40, "{count} files");
    let expected = folder.join("expected.txt");
    if std::env::var_os("SABIR_BLESS").is_some() {
        return std::fs::write(&expected, said).expect("written");
    }
    let expected = std::fs::read_to_string(&expected).expect("the expectations");
    for (said, expected) in said.split("\n\n").zip(expected.split("\n\n")) {
        assert_eq!(said, expected);
    }
    assert_eq!(said, expected);
}
