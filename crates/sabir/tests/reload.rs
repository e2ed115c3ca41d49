//! A client that follows its file.

use std::path::PathBuf;
use std::sync::mpsc;
use std::time::Duration;

use sabir::config::{Live, Loader};
use sabir::{Client, Registry};

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("sabir-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }

    /// As editors do it: another file, put in its place.
    fn write(&self, text: &str) -> PathBuf {
        let (new, file) = (self.0.join("new"), self.0.join("sabir.toml"));
        std::fs::write(&new, text).expect("written");
        std::fs::rename(&new, &file).expect("in place");
        file
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn live(file: PathBuf) -> Live {
    let begin = || {
        let registry = Registry::new();
        registry.register_service("sim", sabir_sim::Simulator::new());
        Client::builder().registry(registry)
    };
    Live::built_on(Loader::new().file(file).service("sim"), begin).expect("a client")
}

fn model(client: &Client) -> String {
    client.resolve("").expect("a model").1
}

#[tokio::test]
async fn what_is_whole_takes_its_place_and_what_is_not_changes_nothing() {
    let folder = Folder::new("reload");
    let live = live(folder.write("model = \"sim/first\"\n"));
    let before = live.client();
    let mut under_way = before.stream("tell me of the sea").await.expect("a stream");
    folder.write("model = \"sim/second\"\n");
    live.reload().expect("whole");
    assert_eq!((model(&live.client()), model(&before)), ("second".to_owned(), "first".to_owned()));
    assert_eq!(live.config().model.as_deref(), Some("sim/second"));
    // The call goes on to its end, and is counted where the next one is.
    while let Some(event) = under_way.next().await {
        event.expect("undisturbed");
    }
    live.client().complete("and of the salt").await.expect("an answer");
    assert_eq!(live.client().metrics().total().calls, 2);

    folder.write("modle = \"sim/third\"\n");
    let error = live.reload().expect_err("no field").to_string();
    assert!(error.contains("sabir.toml:1: modle: is not known; did you mean `model`?"), "{error}");
    folder.write("");
    assert!(live.reload().expect_err("being written").to_string().contains("is empty"));
    folder.write("[providers.openai]\napi_key = \"file:/no/such/key\"\n");
    live.reload().expect_err("no key");
    assert_eq!(model(&live.client()), "second");
}

#[test]
fn a_file_that_is_written_is_read_anew() {
    let folder = Folder::new("watch");
    let live = live(folder.write("model = \"sim/first\"\n"));
    let (tell, told) = mpsc::channel();
    let watch = live.watch(move |done| drop(tell.send(done.map_err(|error| error.to_string())))).expect("watched");
    let next = || told.recv_timeout(Duration::from_secs(60)).expect("it is told");
    folder.write("model = \"sim/second\"\n");
    assert_eq!(next(), Ok(()));
    assert_eq!(model(&live.client()), "second");
    folder.write("model = \n");
    assert!(next().expect_err("no TOML").contains("cannot be read as TOML"));
    assert_eq!(model(&live.client()), "second");
    drop(watch);
    // Nobody tells any more: the thread has ended, and with it its end of the line.
    while let Ok(done) = told.recv_timeout(Duration::from_secs(60)) {
        drop(done);
    }
    folder.write("model = \"sim/third\"\n");
    assert_eq!(model(&live.client()), "second");
}
