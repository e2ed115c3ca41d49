//! How each dialect tells an answer in a stream, piece by piece, as its service writes it: what hostile streams are
//! made of.

/// A frame: its event's name where the dialect has one, and its JSON. `$T` stands for words, `$W` for the finish word,
/// `$U` for a counter of tokens, `$I`, `$K` and `$N` for a call's index, id and name.
pub(crate) type Frame = (&'static str, &'static str);

/// One dialect's frames.
#[derive(Debug)]
pub(crate) struct Wire {
    /// The dialect.
    pub(crate) dialect: &'static str,
    /// The content type of its streams.
    pub(crate) content_type: &'static str,
    /// What stands before the first words.
    pub(crate) start: &'static [Frame],
    /// Words.
    pub(crate) text: &'static [Frame],
    /// A whole call; nothing where the dialect has none.
    pub(crate) call: &'static [Frame],
    /// A report of the tokens so far; nothing where it comes with the finish word alone.
    pub(crate) usage: &'static [Frame],
    /// The finish word.
    pub(crate) finish: &'static [Frame],
    /// The marker after the finish word; nothing where that is the end.
    pub(crate) marker: &'static [Frame],
    /// Whether an answer without that marker is whole.
    pub(crate) is_whole_without_marker: bool,
    /// The usual finish word.
    pub(crate) word: &'static str,
    /// "busy", as an error inside the stream.
    pub(crate) error: Frame,
}

const DONE: &[Frame] = &[("", "[DONE]")];

const OPENAI_CHAT: Wire = Wire {
    dialect: "openai-chat",
    content_type: "text/event-stream",
    start: &[("", r#"{"id":"a","model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}"#)],
    text: &[("", r#"{"id":"a","model":"m","choices":[{"index":0,"delta":{"content":"$T"}}]}"#)],
    call: &[(
        "",
        r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":$I,"id":"$K","type":"function","function":{"name":"$N","arguments":"{}"}}]}}]}"#,
    )],
    usage: &[("", r#"{"id":"a","model":"m","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":$U}}"#)],
    finish: &[("", r#"{"id":"a","model":"m","choices":[{"index":0,"delta":{},"finish_reason":"$W"}],"usage":null}"#)],
    marker: DONE,
    is_whole_without_marker: true,
    word: "stop",
    error: ("", r#"{"error":{"message":"busy","type":"server_error","code":503}}"#),
};

const OPENAI_RESPONSES: Wire = Wire {
    dialect: "openai-responses",
    content_type: "text/event-stream",
    start: &[
        (
            "response.created",
            r#"{"type":"response.created","response":{"id":"a","model":"m","status":"in_progress","output":[]}}"#,
        ),
        (
            "response.output_item.added",
            r#"{"type":"response.output_item.added","output_index":0,"item":{"id":"msg_1","type":"message","role":"assistant","status":"in_progress","content":[]}}"#,
        ),
    ],
    text: &[(
        "response.output_text.delta",
        r#"{"type":"response.output_text.delta","item_id":"msg_1","output_index":0,"content_index":0,"delta":"$T"}"#,
    )],
    call: &[
        (
            "response.output_item.added",
            r#"{"type":"response.output_item.added","output_index":$I,"item":{"type":"function_call","id":"fc_$K","call_id":"$K","name":"$N","arguments":""}}"#,
        ),
        (
            "response.output_item.done",
            r#"{"type":"response.output_item.done","output_index":$I,"item":{"type":"function_call","id":"fc_$K","call_id":"$K","name":"$N","arguments":"{}","status":"completed"}}"#,
        ),
    ],
    usage: &[],
    finish: &[(
        "response.incomplete",
        r#"{"type":"response.incomplete","response":{"id":"a","model":"m","status":"incomplete","incomplete_details":{"reason":"$W"},"output":[]}}"#,
    )],
    marker: &[],
    is_whole_without_marker: true,
    word: "max_output_tokens",
    error: ("error", r#"{"type":"error","code":"server_is_overloaded","message":"busy","param":null}"#),
};

const OPENAI_COMPLETIONS: Wire = Wire {
    dialect: "openai-completions",
    text: &[("", r#"{"id":"a","model":"m","choices":[{"index":0,"text":"$T","logprobs":null}]}"#)],
    start: &[],
    call: &[],
    finish: &[("", r#"{"id":"a","model":"m","choices":[{"index":0,"text":"","finish_reason":"$W"}],"usage":null}"#)],
    ..OPENAI_CHAT
};

const ANTHROPIC: Wire = Wire {
    dialect: "anthropic-messages",
    content_type: "text/event-stream",
    start: &[
        (
            "message_start",
            r#"{"type":"message_start","message":{"id":"a","type":"message","role":"assistant","model":"m","content":[],"usage":{"input_tokens":3,"output_tokens":1}}}"#,
        ),
        (
            "content_block_start",
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
        ),
    ],
    text: &[(
        "content_block_delta",
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"$T"}}"#,
    )],
    call: &[
        (
            "content_block_start",
            r#"{"type":"content_block_start","index":$I,"content_block":{"type":"tool_use","id":"$K","name":"$N","input":{}}}"#,
        ),
        (
            "content_block_delta",
            r#"{"type":"content_block_delta","index":$I,"delta":{"type":"input_json_delta","partial_json":"{}"}}"#,
        ),
        ("content_block_stop", r#"{"type":"content_block_stop","index":$I}"#),
    ],
    usage: &[("message_delta", r#"{"type":"message_delta","delta":{},"usage":{"output_tokens":$U}}"#)],
    finish: &[
        ("content_block_stop", r#"{"type":"content_block_stop","index":0}"#),
        ("message_delta", r#"{"type":"message_delta","delta":{"stop_reason":"$W"}}"#),
    ],
    marker: &[("message_stop", r#"{"type":"message_stop"}"#)],
    is_whole_without_marker: false,
    word: "end_turn",
    error: ("error", r#"{"type":"error","error":{"type":"overloaded_error","message":"busy"}}"#),
};

const GEMINI: Wire = Wire {
    dialect: "gemini-generate",
    content_type: "text/event-stream",
    start: &[],
    text: &[(
        "",
        r#"{"candidates":[{"content":{"parts":[{"text":"$T"}],"role":"model"},"index":0}],"modelVersion":"m","responseId":"a"}"#,
    )],
    call: &[(
        "",
        r#"{"candidates":[{"content":{"parts":[{"functionCall":{"name":"$N","args":{}}}],"role":"model"}}]}"#,
    )],
    usage: &[("", r#"{"usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":$U},"modelVersion":"m"}"#)],
    finish: &[(
        "",
        r#"{"candidates":[{"content":{"parts":[{"text":""}],"role":"model"},"finishReason":"$W","index":0}],"modelVersion":"m"}"#,
    )],
    marker: &[],
    is_whole_without_marker: true,
    word: "STOP",
    error: ("", r#"{"error":{"code":503,"message":"busy","status":"UNAVAILABLE"}}"#),
};

const BEDROCK: Wire = Wire {
    dialect: "bedrock-converse",
    content_type: "application/vnd.amazon.eventstream",
    start: &[("messageStart", r#"{"role":"assistant"}"#)],
    text: &[("contentBlockDelta", r#"{"contentBlockIndex":0,"delta":{"text":"$T"}}"#)],
    call: &[
        ("contentBlockStart", r#"{"contentBlockIndex":$I,"start":{"toolUse":{"toolUseId":"$K","name":"$N"}}}"#),
        ("contentBlockDelta", r#"{"contentBlockIndex":$I,"delta":{"toolUse":{"input":"{}"}}}"#),
        ("contentBlockStop", r#"{"contentBlockIndex":$I}"#),
    ],
    usage: &[],
    finish: &[("contentBlockStop", r#"{"contentBlockIndex":0}"#), ("messageStop", r#"{"stopReason":"$W"}"#)],
    marker: &[(
        "metadata",
        r#"{"usage":{"inputTokens":3,"outputTokens":5,"totalTokens":8},"metrics":{"latencyMs":1}}"#,
    )],
    is_whole_without_marker: true,
    word: "end_turn",
    error: ("!serviceUnavailableException", r#"{"message":"busy"}"#),
};

const COHERE_V2: Wire = Wire {
    dialect: "cohere-v2-chat",
    content_type: "text/event-stream",
    start: &[
        ("message-start", r#"{"id":"a","type":"message-start","delta":{"message":{"role":"assistant","content":[]}}}"#),
        (
            "content-start",
            r#"{"type":"content-start","index":0,"delta":{"message":{"content":{"type":"text","text":""}}}}"#,
        ),
    ],
    text: &[("content-delta", r#"{"type":"content-delta","index":0,"delta":{"message":{"content":{"text":"$T"}}}}"#)],
    call: &[
        (
            "tool-call-start",
            r#"{"type":"tool-call-start","index":$I,"delta":{"message":{"tool_calls":{"id":"$K","type":"function","function":{"name":"$N","arguments":"{}"}}}}}"#,
        ),
        ("tool-call-end", r#"{"type":"tool-call-end","index":$I}"#),
    ],
    usage: &[],
    finish: &[
        ("content-end", r#"{"type":"content-end","index":0}"#),
        ("message-end", r#"{"type":"message-end","delta":{"finish_reason":"$W","usage":null}}"#),
    ],
    marker: DONE,
    is_whole_without_marker: true,
    word: "COMPLETE",
    error: ("", r#"{"message":"busy"}"#),
};

const COHERE_V1: Wire = Wire {
    dialect: "cohere-v1-chat",
    content_type: "application/stream+json",
    start: &[("", r#"{"is_finished":false,"event_type":"stream-start","generation_id":"a"}"#)],
    text: &[("", r#"{"is_finished":false,"event_type":"text-generation","text":"$T"}"#)],
    call: &[(
        "",
        r#"{"is_finished":false,"event_type":"tool-calls-generation","tool_calls":[{"name":"$N","parameters":{}}]}"#,
    )],
    usage: &[],
    finish: &[("", r#"{"is_finished":true,"event_type":"stream-end","finish_reason":"$W"}"#)],
    marker: &[],
    is_whole_without_marker: true,
    word: "COMPLETE",
    error: ("", r#"{"message":"busy"}"#),
};

const TEXTGEN: Wire = Wire {
    dialect: "huggingface-textgen",
    content_type: "text/event-stream",
    start: &[],
    text: &[(
        "",
        r#"{"index":1,"token":{"id":7,"text":"$T","logprob":-0.5,"special":false},"generated_text":null,"details":null}"#,
    )],
    call: &[],
    usage: &[],
    finish: &[(
        "",
        r#"{"index":2,"token":{"id":2,"text":"</s>","logprob":-0.1,"special":true},"generated_text":null,"details":{"finish_reason":"$W","generated_tokens":5,"seed":null}}"#,
    )],
    marker: &[],
    is_whole_without_marker: true,
    word: "eos_token",
    error: ("", r#"{"error":"busy","error_type":"overloaded"}"#),
};

const OLLAMA_CHAT: Wire = Wire {
    dialect: "ollama-chat",
    content_type: "application/x-ndjson",
    start: &[],
    text: &[("", r#"{"model":"m","message":{"role":"assistant","content":"$T"},"done":false}"#)],
    call: &[(
        "",
        r#"{"model":"m","message":{"role":"assistant","content":"","tool_calls":[{"id":"$K","function":{"index":$I,"name":"$N","arguments":{}}}]},"done":false}"#,
    )],
    usage: &[],
    finish: &[(
        "",
        r#"{"model":"m","message":{"role":"assistant","content":""},"done":true,"done_reason":"$W","prompt_eval_count":3,"eval_count":5}"#,
    )],
    marker: &[],
    is_whole_without_marker: true,
    word: "stop",
    error: ("", r#"{"error":"busy"}"#),
};

const OLLAMA_GENERATE: Wire = Wire {
    dialect: "ollama-generate",
    text: &[("", r#"{"model":"m","response":"$T","done":false}"#)],
    call: &[],
    finish: &[(
        "",
        r#"{"model":"m","response":"","done":true,"done_reason":"$W","prompt_eval_count":3,"eval_count":5}"#,
    )],
    ..OLLAMA_CHAT
};

/// Every dialect; Gemini twice, as its stream has two forms.
pub(crate) const WIRES: &[Wire] = &[
    OPENAI_CHAT,
    OPENAI_RESPONSES,
    OPENAI_COMPLETIONS,
    ANTHROPIC,
    GEMINI,
    Wire { content_type: "application/json", ..GEMINI },
    BEDROCK,
    COHERE_V2,
    COHERE_V1,
    TEXTGEN,
    OLLAMA_CHAT,
    OLLAMA_GENERATE,
];
