//! Bounds of requests that vendors state for their own formats. Formats that many servers speak have none here: what
//! one of them refuses another takes.

use sabir_core::Abilities;

/// Anthropic's API reference, `tools.name` and `media_type` of an image.
#[cfg(feature = "anthropic")]
pub(crate) fn anthropic() -> Abilities {
    let images = &["image/jpeg", "image/png", "image/gif", "image/webp"];
    Abilities { tool_name: 128, tool_name_also: "", images, ..Abilities::default() }
}

/// Amazon's API reference: `ToolSpecification.name` and `ImageBlock.format`.
#[cfg(feature = "bedrock")]
pub(crate) fn bedrock() -> Abilities {
    let images = &["image/jpeg", "image/png", "image/gif", "image/webp"];
    Abilities { tool_name: 64, tool_name_also: "", images, ..Abilities::default() }
}

/// Google's API reference: `FunctionDeclaration.name`, and "Image understanding" on types of images.
#[cfg(feature = "gemini")]
pub(crate) fn gemini() -> Abilities {
    let images = &["image/png", "image/jpeg", "image/webp", "image/heic", "image/heif", "image/gif"];
    Abilities { tool_name: 128, tool_name_also: ".:", images, ..Abilities::default() }
}

/// OpenAI's API description: `FunctionToolParam.name`.
#[cfg(feature = "openai-responses")]
pub(crate) fn openai_responses() -> Abilities {
    Abilities { tool_name: 128, tool_name_also: "", ..Abilities::default() }
}
