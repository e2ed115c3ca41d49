//! What is made of `data/models` and `data/prices` is what is written there.

use crate::models::{self, LIST, TABLE};
use crate::prices;
use crate::repo::{Problem, Repo};

pub(crate) fn catalog_is_fresh(repo: &Repo) -> Vec<Problem> {
    if !repo.has("crates/sabir-dialects") {
        return Vec::new();
    }
    let (path, message) = match models::table(repo) {
        Err(message) => (LIST, message),
        Ok(made) if repo.file(TABLE).is_some_and(|file| file.text == made) => return Vec::new(),
        Ok(_) => (TABLE, "is not what data/models says: run `cargo xtask generate`".to_owned()),
    };
    vec![Problem { path: path.to_owned(), line: 0, message }]
}

pub(crate) fn prices_are_fresh(repo: &Repo) -> Vec<Problem> {
    if !repo.has("crates/sabir-prices") {
        return Vec::new();
    }
    let (path, message) = match prices::table(repo) {
        Err(message) => (prices::LIST, message),
        Ok(made) if repo.file(prices::TABLE).is_some_and(|file| file.text == made) => return Vec::new(),
        Ok(_) => (prices::TABLE, "is not what data/prices says: run `cargo xtask generate`".to_owned()),
    };
    vec![Problem { path: path.to_owned(), line: 0, message }]
}
