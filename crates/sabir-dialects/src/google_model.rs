//! Models as Google's services name them, in paths and by generation.

use crate::percent::{percent, unescaped};

/// A model's name without the collection that most of them are in.
pub(crate) fn bare(model: &str) -> &str {
    model.strip_prefix("models/").unwrap_or(model)
}

/// Where a model's method is, `/models/MODEL:METHOD`. Tuned models and endpoints are collections of their own.
pub(crate) fn path(model: &str, method: &str) -> String {
    let model = bare(model);
    let collection = match model.split_once('/') {
        Some(("tunedModels" | "endpoints" | "dynamic", _)) => "",
        _ => "models/",
    };
    format!("/{collection}{}:{method}", percent(model, "/:-_.~@"))
}

/// The model (empty where there is none) and the method that a path names; `None` for one that names no method.
pub(crate) fn in_path(path: &str) -> Option<(String, &str)> {
    let (place, method) = path.rsplit_once(':')?;
    let model = place.split_once("/models/").map(|(_, model)| model);
    let collections = ["/tunedModels/", "/endpoints/", "/dynamic/"];
    let own = || collections.iter().find_map(|name| place.find(name)).map(|at| &place[at + 1..]);
    Some((unescaped(model.or_else(own).unwrap_or_default()), method))
}

/// The generation of a Gemini model: 2.5 for `gemini-2.5-flash`; `None` for a name that does not say.
pub(crate) fn generation(model: &str) -> Option<f32> {
    let behind = model.rsplit('/').next()?.strip_prefix("gemini-")?;
    let end = behind.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(behind.len());
    behind[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_in_a_path_is_found_in_it() {
        for model in ["gemini-2.5-flash", "tunedModels/tide-1", "endpoints/7", "a b"] {
            let path = path(model, "generateContent");
            assert_eq!(in_path(&format!("/v1beta{path}")), Some((model.to_owned(), "generateContent")), "{path}");
        }
        assert_eq!(path("models/m", "countTokens"), "/models/m:countTokens");
        assert_eq!(in_path("/v1beta/models/m"), None);
    }

    #[test]
    fn generations_are_read_off_names() {
        assert_eq!(generation("models/gemini-2.5-flash"), Some(2.5));
        assert_eq!(generation("gemini-3-pro"), Some(3.0));
        assert_eq!(generation("gemma-3"), None);
    }
}
