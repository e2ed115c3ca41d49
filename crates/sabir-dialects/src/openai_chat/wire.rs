//! The messages of answers on the wire, as they are met: any field may be missing, null, or of another type than
//! OpenAI's, and none of that is fatal. Strings are borrowed from the body.

use serde_json::Value;
use serde_json::value::RawValue;

use crate::lenient::{Count, List, Object, Text, lenient_objects};

lenient_objects! {
    /// A message, or the delta of one.
    Message {
        content: Option<&'a RawValue>,
        refusal: Text<'a>,
        reasoning_content: Text<'a>,
        reasoning: Text<'a>,
        reasoning_details: List<Value>,
        tool_calls: List<Call<'a>>,
        function_call: Object<Function<'a>>,
        annotations: List<Value>,
        audio: Object<Audio<'a>>,
        images: List<Value>,
        extra_content: Option<&'a RawValue>,
    }
    Call {
        index: Count,
        id: Text<'a>,
        function: Object<Function<'a>>,
        custom: Object<Function<'a>>,
        extra_content: Option<&'a RawValue>,
    }
    /// What is called: a function with `arguments`, or a custom tool with an `input`.
    Function {
        name: Text<'a>,
        arguments: Text<'a>,
        input: Text<'a>,
    }
    Audio {
        id: Text<'a>,
        data: Text<'a>,
        transcript: Text<'a>,
    }
}
