//! Where a configuration stands that nobody named.

use std::path::{Path, PathBuf};

use crate::scope::Ask;
use crate::{Faults, Source};

/// The endings that are looked for.
const ENDINGS: &[&str] = &["toml", "yaml", "yml", "json"];

/// The first place with a file.
pub(crate) fn find(env: &Ask<'_>) -> Result<Option<PathBuf>, Faults> {
    if let Some(named) = env("SABIR_CONFIG") {
        let path = PathBuf::from(&named);
        let missing = || Faults::one(Source::Variable("SABIR_CONFIG".into()), format!("there is no file {named}"));
        return if path.is_file() { Ok(Some(path)) } else { Err(missing()) };
    }
    let home = || Some(Path::new(&env("HOME")?).join(".config"));
    let config = env("XDG_CONFIG_HOME").map(PathBuf::from).or_else(home);
    for stem in [Some(PathBuf::from("sabir")), config.map(|folder| folder.join("sabir").join("config"))] {
        let Some(stem) = stem else { continue };
        let there = ENDINGS.iter().map(|ending| stem.with_extension(ending)).filter(|path| path.is_file());
        match there.collect::<Vec<_>>().as_slice() {
            [] => {}
            [one] => return Ok(Some(one.clone())),
            [one, other, ..] => {
                let message = format!("{} and {} are both there; keep one of them", one.display(), other.display());
                return Err(Faults::one(Source::Default, message));
            }
        }
    }
    Ok(None)
}
