//! The file of keys.

use std::path::PathBuf;

use sabir_config::KeyFile;
use sabir_core::ErrorKind;

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("sabir-keys-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn what_was_kept_is_read_whatever_its_signs() {
    let folder = Folder::new("law");
    let keys = KeyFile::at(folder.0.join("deep/keys.toml"));
    assert!(keys.read().expect("nothing yet").is_empty());
    // Every sign that a header can hold, each beside every other once.
    let signs: Vec<char> = ('!'..='~').collect();
    for start in 0..signs.len() {
        let key: String = signs.iter().cycle().skip(start).step_by(7).take(94).collect();
        keys.set("name-1", &key.as_str().into()).expect("kept");
        assert_eq!(keys.get("name-1").expect("read"), Some(key.into()));
    }
    keys.set("other", &"k".into()).expect("kept");
    assert_eq!(keys.read().expect("read").keys().collect::<Vec<_>>(), ["name-1", "other"]);
    assert!(keys.remove("other").expect("written") && !keys.remove("other").expect("written"));
    assert_eq!(std::fs::read_dir(folder.0.join("deep")).expect("a folder").count(), 1, "nothing else is left");
}

#[test]
fn what_cannot_be_right_is_refused_without_showing_it() {
    let folder = Folder::new("refused");
    let keys = KeyFile::at(folder.0.join("keys.toml"));
    for (name, key) in
        [("", "k"), ("a b", "k"), ("é", "k"), ("n", ""), ("n", "sk secret"), ("n", "sk-secret\n"), ("n", "ключ")]
    {
        let error = keys.set(name, &key.into()).expect_err("refused");
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert!(!error.to_string().contains("secret"), "{error}");
    }
    assert!(!keys.path().exists());
    for text in ["n = \"sk-secret", "n = 5", "[n]\nsk-secret = \"x\"", "n = \"a\"\nn = \"sk-secret\""] {
        std::fs::write(keys.path(), text).expect("written");
        private(keys.path());
        let error = keys.read().expect_err("refused");
        assert!(!error.to_string().contains("secret"), "{error}");
        keys.set("n", &"k".into()).expect_err("what is not understood is not written over");
        assert_eq!(std::fs::read_to_string(keys.path()).expect("it is there"), text);
    }
    // Who is writing keeps others from it.
    std::fs::remove_file(keys.path()).expect("gone");
    std::fs::write(folder.0.join("keys.toml.new"), "").expect("written");
    let error = keys.set("n", &"k".into()).expect_err("refused");
    assert!(error.message().contains("another program is writing keys"), "{error}");
}

#[cfg(unix)]
fn private(path: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).expect("set");
}

#[cfg(not(unix))]
fn private(_: &std::path::Path) {}

#[test]
fn its_usual_place_is_said_or_in_the_configurations_folder() {
    let usual = |env: &[(&str, &str)]| {
        let env: Vec<(String, String)> = env.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        let found = KeyFile::usual(|name| env.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone()));
        found.map(|file| file.path().to_str().expect("text").replace('\\', "/"))
    };
    let place = |path: &str| Some(path.to_owned());
    assert_eq!(usual(&[("SABIR_KEYS", "mine.toml"), ("HOME", "/h")]), place("mine.toml"));
    assert_eq!(usual(&[("XDG_CONFIG_HOME", "/c"), ("HOME", "/h")]), place("/c/sabir/keys.toml"));
    assert_eq!(usual(&[("XDG_CONFIG_HOME", "relative"), ("HOME", "/h")]), place("/h/.config/sabir/keys.toml"));
    assert_eq!(usual(&[]), None);
}
