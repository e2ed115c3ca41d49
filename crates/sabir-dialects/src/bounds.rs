//! Bounds of requests that vendors state for their own formats. Formats that many servers speak have none here: what
//! one of them refuses another takes. A bound is left wide where it depends on the model.

use sabir_core::Abilities;

/// Anthropic's API reference: `tools.name`, `media_type` of an image, and 32 MB a request.
#[cfg(feature = "anthropic")]
pub(crate) fn anthropic() -> Abilities {
    let images = &["image/jpeg", "image/png", "image/gif", "image/webp"];
    Abilities { tool_name: 128, tool_name_also: "", images, inline_bytes: Some(32 << 20), ..Abilities::default() }
}

/// Amazon's API reference: `ToolSpecification.name`, `ImageBlock.format`; and 25 MB, which is what a video may have, the
/// longest of all media (`Message` has less for images and documents).
#[cfg(feature = "bedrock")]
pub(crate) fn bedrock() -> Abilities {
    let images = &["image/jpeg", "image/png", "image/gif", "image/webp"];
    Abilities { tool_name: 64, tool_name_also: "", images, inline_bytes: Some(25 << 20), ..Abilities::default() }
}

/// Google's API reference: `FunctionDeclaration.name`; "Image understanding" on types of images, and "Structured output"
/// on what `responseJsonSchema` takes.
#[cfg(feature = "gemini")]
pub(crate) fn gemini() -> Abilities {
    let images = &["image/png", "image/jpeg", "image/webp", "image/heic", "image/heif", "image/gif"];
    let unknown = &[
        "const", "minLength", "maxLength", "pattern", "multipleOf", "exclusiveMinimum", "exclusiveMaximum",
        "uniqueItems", "minProperties", "maxProperties",
    ];
    let schema = sabir_core::schema::SchemaRules { only_any_of: true, unknown, ..Default::default() };
    Abilities { tool_name: 128, tool_name_also: ".:", images, schema, ..Abilities::default() }
}

/// OpenAI's API description: `FunctionToolParam.name`.
#[cfg(feature = "openai-responses")]
pub(crate) fn openai_responses() -> Abilities {
    Abilities { tool_name: 128, tool_name_also: "", ..Abilities::default() }
}
