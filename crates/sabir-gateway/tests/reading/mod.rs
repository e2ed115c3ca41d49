//! Reading an answer as it comes.

use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

/// What comes until a word has come.
pub(crate) async fn until(socket: &mut TcpStream, word: &str) -> String {
    let (mut text, mut piece) = (String::new(), [0; 4096]);
    while !text.contains(word) {
        let read = socket.read(&mut piece).await.expect("read");
        assert!(read > 0, "it ended: {text}");
        text.push_str(&String::from_utf8_lossy(&piece[..read]));
    }
    text
}
