//! Texts as vectors, and documents in order of how well they answer.
#![expect(clippy::print_stdout, reason = "an example shows its result")]

use sabir::RerankRequest;

#[tokio::main(flavor = "current_thread")]
async fn main() -> sabir::Result<()> {
    // In your program: `Client::new("openai/text-embedding-3-small")`, and one of voyage, jina … to order documents.
    let client = sabir_examples::client()?;

    let texts = ["Why is the sea salt?", "Why is the sea so salt?", "A loaf of bread."];
    let vectors = client.embed(texts).await?.vectors;
    for (text, vector) in texts.iter().zip(&vectors) {
        println!("{:.2} {text}", likeness(&vectors[0], vector));
    }

    let documents = vec!["Bread is baked.".to_owned(), "Rivers carry salt to the sea.".to_owned()];
    let request = RerankRequest { query: "salt of the sea".into(), documents, ..RerankRequest::default() };
    let order = client.rerank(request.clone()).await?;
    for place in order.ranking {
        let document = usize::try_from(place.index).ok().and_then(|index| request.documents.get(index));
        println!("{:.2} {}", place.score, document.map_or("", String::as_str));
    }
    Ok(())
}

/// The cosine of the angle between two vectors.
fn likeness(left: &[f32], right: &[f32]) -> f32 {
    let product = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    product(left, right) / (product(left, left) * product(right, right)).sqrt()
}
