//! Compressed bodies: what goes in comes out, at once, and not without bound.
#![cfg(feature = "compression")]
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod support;

use std::io::Write;

use bytes::Bytes;
use futures_util::StreamExt;
use sabir_core::ErrorKind;
use sabir_core::transport::Transport;
use support::*;

const CODINGS: [&str; 4] = ["gzip", "deflate", "br", "zstd"];

/// Compresses pieces, each flushed, and the end: one element of compressed bytes for each.
fn compressed(coding: &str, pieces: &[&[u8]]) -> Vec<Vec<u8>> {
    let mut out: Vec<Vec<u8>> = Vec::new();
    match coding {
        "gzip" => {
            let mut w = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
            for piece in pieces {
                w.write_all(piece).unwrap();
                w.flush().unwrap();
                out.push(std::mem::take(w.get_mut()));
            }
            out.push(w.finish().unwrap());
        }
        "deflate" => {
            let mut w = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
            for piece in pieces {
                w.write_all(piece).unwrap();
                w.flush().unwrap();
                out.push(std::mem::take(w.get_mut()));
            }
            out.push(w.finish().unwrap());
        }
        "br" => {
            let mut w = brotli::CompressorWriter::new(Vec::new(), 4096, 5, 22);
            for piece in pieces {
                w.write_all(piece).unwrap();
                w.flush().unwrap();
                out.push(std::mem::take(w.get_mut()));
            }
            out.push(w.into_inner());
        }
        _ => {
            let mut w = zstd_safe::CCtx::create();
            let mut room = vec![0; 1 << 20];
            for piece in pieces {
                let mut from = zstd_safe::InBuffer::around(piece);
                let mut to = zstd_safe::OutBuffer::around(room.as_mut_slice());
                while from.pos() < piece.len() {
                    w.compress_stream(&mut to, &mut from).unwrap();
                }
                assert_eq!(w.flush_stream(&mut to).unwrap(), 0);
                out.push(to.as_slice().to_vec());
            }
            let mut to = zstd_safe::OutBuffer::around(room.as_mut_slice());
            assert_eq!(w.end_stream(&mut to).unwrap(), 0);
            out.push(to.as_slice().to_vec());
        }
    }
    out
}

/// A server that answers each request with `body`, all at once, in one coding.
async fn serving(coding: &'static str, body: Vec<u8>) -> String {
    let body = Bytes::from(body);
    let (address, _) = hyper_server(None, move |_| {
        let mut response = answer(body.clone());
        response.headers_mut().insert("content-encoding", coding.parse().unwrap());
        async move { response }
    })
    .await;
    format!("http://{address}/")
}

#[tokio::test]
async fn every_coding_and_the_headers_that_described_it_are_gone() {
    let long = (0..40_000).map(|n| n.to_string()).collect::<Vec<_>>().join(" ");
    for coding in CODINGS {
        for plain in ["", "x", long.as_str()] {
            let url = serving(coding, compressed(coding, &[plain.as_bytes()]).concat()).await;
            let response = in_time(transport().send(get(url))).await.unwrap();
            assert!(!response.headers().contains_key("content-encoding"), "{coding}");
            assert!(!response.headers().contains_key("content-length"), "{coding}");
            assert!(text(response.into_body()).await == plain, "{coding}, {} bytes", plain.len());
        }
    }
}

#[tokio::test]
async fn each_flushed_event_comes_out_before_the_next_is_sent() {
    for coding in CODINGS {
        let events: Vec<String> = (0..5).map(|n| format!("data: {{\"event\":{n}}}\n\n")).collect();
        let events: Vec<&[u8]> = events.iter().map(String::as_bytes).collect();
        let coded = compressed(coding, &events);
        let (next, turns) = tokio::sync::mpsc::channel::<()>(16);
        let turns = std::sync::Arc::new(tokio::sync::Mutex::new(turns));
        let (address, _) = raw(move |mut stream| {
            let (coded, turns) = (coded.clone(), turns.clone());
            async move {
                read_request(&mut stream).await;
                write(
                    &mut stream,
                    format!("HTTP/1.1 200 OK\r\ncontent-encoding: {coding}\r\ntransfer-encoding: chunked\r\n\r\n"),
                )
                .await;
                for piece in coded {
                    turns.lock().await.recv().await.unwrap();
                    if !piece.is_empty() {
                        write(&mut stream, [format!("{:x}\r\n", piece.len()).as_bytes(), &piece, b"\r\n"].concat())
                            .await;
                    }
                }
                write(&mut stream, "0\r\n\r\n").await;
            }
        })
        .await;
        let mut body = in_time(transport().send(get(format!("http://{address}/")))).await.unwrap().into_body();
        for event in events {
            // The server sends the next event only now: a decoder that holds one back waits for ever.
            next.try_send(()).unwrap();
            let mut got = Vec::new();
            while got.len() < event.len() {
                got.extend_from_slice(&in_time(body.next()).await.unwrap().unwrap());
            }
            assert_eq!(got, event, "{coding}");
        }
        next.try_send(()).unwrap();
        assert!(in_time(body.next()).await.is_none(), "{coding}");
    }
}

/// Answers with `coded`, one chunk for each byte.
async fn bytewise(coding: &'static str, coded: Vec<u8>) -> (Vec<Bytes>, Option<sabir_core::Error>) {
    let (address, _) = raw(move |mut stream| {
        let coded = coded.clone();
        async move {
            read_request(&mut stream).await;
            write(
                &mut stream,
                format!("HTTP/1.1 200 OK\r\ncontent-encoding: {coding}\r\ntransfer-encoding: chunked\r\n\r\n"),
            )
            .await;
            let chunks: Vec<u8> =
                coded.iter().flat_map(|byte| [b"1\r\n".as_slice(), &[*byte], b"\r\n"].concat()).collect();
            // A client that found an error has closed.
            let _ = tokio::io::AsyncWriteExt::write_all(&mut stream, &[chunks, b"0\r\n\r\n".to_vec()].concat()).await;
        }
    })
    .await;
    pieces(in_time(transport().send(get(format!("http://{address}/")))).await.unwrap().into_body()).await
}

#[tokio::test]
async fn cut_at_every_byte() {
    let plain = b"the quick brown fox, the quick brown fox, the quick brown fox".as_slice();
    for coding in CODINGS {
        let (got, error) = bytewise(coding, compressed(coding, &[plain]).concat()).await;
        assert_eq!((got.concat().as_slice(), error), (plain, None), "{coding}");
    }
}

#[tokio::test]
async fn every_gzip_header_field_and_several_members() {
    let made = |name: &str| {
        let builder = flate2::GzBuilder::new().filename(name).comment("a comment").extra(vec![7; 300]).mtime(1);
        let mut w = builder.write(Vec::new(), flate2::Compression::best());
        w.write_all(name.as_bytes()).unwrap();
        w.finish().unwrap()
    };
    let (got, error) = bytewise("gzip", [made("one "), made("two "), made("three")].concat()).await;
    assert_eq!((got.concat().as_slice(), error), (b"one two three".as_slice(), None));
}

#[tokio::test]
async fn a_bomb_stops_at_the_limit() {
    let zeros = vec![0; 64 << 20];
    for coding in CODINGS {
        let url = serving(coding, compressed(coding, &[&zeros]).concat()).await;
        let http = builder().expanded_limit(1 << 20).build().unwrap();
        let (got, error) = pieces(in_time(http.send(get(url))).await.unwrap().into_body()).await;
        let error = error.unwrap();
        assert_eq!(error.kind(), ErrorKind::Decode, "{coding}");
        assert!(error.message().contains("expands to more than 1048576 bytes"), "{error}");
        assert!(got.iter().all(|piece| piece.len() <= 16 << 10), "{coding}: no piece is large");
        assert!(got.iter().map(Bytes::len).sum::<usize>() <= 1 << 20, "{coding}");
    }
}

#[tokio::test]
async fn damaged_cut_and_overlong_data() {
    let plain: Vec<u8> = (0..20_000_u32).flat_map(|n| (n.wrapping_mul(2_654_435_761)).to_le_bytes()).collect();
    for coding in CODINGS {
        let whole = compressed(coding, &[&plain]).concat();

        let url = serving(coding, whole[..whole.len() / 2].to_vec()).await;
        let (_, error) = pieces(in_time(transport().send(get(url))).await.unwrap().into_body()).await;
        assert_eq!(error.unwrap().kind(), ErrorKind::Truncated, "{coding}");

        let url = serving(coding, [whole.as_slice(), b"and more"].concat()).await;
        let (got, error) = pieces(in_time(transport().send(get(url))).await.unwrap().into_body()).await;
        assert_eq!((got.concat() == plain, error.unwrap().kind()), (true, ErrorKind::Decode), "{coding}");

        let url = serving(coding, b"this is not compressed at all, whatever the header says".to_vec()).await;
        let (_, error) = pieces(in_time(transport().send(get(url))).await.unwrap().into_body()).await;
        assert!(matches!(error.unwrap().kind(), ErrorKind::Decode | ErrorKind::Truncated), "{coding}");
    }
    let mut wrong_sum = compressed("gzip", &[&plain]).concat();
    let at = wrong_sum.len() - 8;
    wrong_sum[at] ^= 1;
    let (_, error) =
        pieces(in_time(transport().send(get(serving("gzip", wrong_sum).await))).await.unwrap().into_body()).await;
    assert!(error.unwrap().message().contains("checksum"));
}

#[tokio::test]
async fn no_body_and_codings_that_we_do_not_know() {
    let (address, _) = raw(|mut stream| async move {
        read_request(&mut stream).await;
        write(&mut stream, "HTTP/1.1 304 Not Modified\r\ncontent-encoding: gzip\r\n\r\n").await;
    })
    .await;
    let response = in_time(transport().send(get(format!("http://{address}/")))).await.unwrap();
    assert_eq!(text(response.into_body()).await, "");

    let response = in_time(transport().send(get(serving("compress", b"left as it is".to_vec()).await))).await.unwrap();
    assert_eq!(response.headers()["content-encoding"], "compress");
    assert_eq!(text(response.into_body()).await, "left as it is");

    let coded = compressed("gzip", &[b"x"]).concat();
    let raw = builder().decompress(false).build().unwrap();
    let (got, _) =
        pieces(in_time(raw.send(get(serving("gzip", coded.clone()).await))).await.unwrap().into_body()).await;
    assert_eq!(got.concat(), coded);
}
