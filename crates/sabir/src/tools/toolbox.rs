use std::collections::HashMap;
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use sabir_core::chat::{Part, Tool, ToolCall, ToolResult};
use sabir_core::transport::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Functions that a model may call. Cloning is cheap and shares them.
#[derive(Clone)]
pub struct Toolbox {
    tools: Vec<Tool>,
    functions: HashMap<String, Function>,
    approval: Option<Arc<dyn Fn(ToolCall) -> BoxFuture<'static, Approval> + Send + Sync>>,
    timeout: Duration,
}

type Function = Arc<dyn Fn(ToolCall) -> BoxFuture<'static, Output> + Send + Sync>;

/// Whether a call may be carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Approval {
    /// It may.
    Granted,
    /// It may not; the model is told why.
    Denied(String),
}

/// What a tool gives back: parts for the model to read, or words on what went wrong.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    /// What it gives.
    pub parts: Vec<Part>,
    /// Whether it failed.
    pub is_error: bool,
}

impl Output {
    /// What went wrong, for the model to read.
    pub fn error(words: impl fmt::Display) -> Self {
        Self { parts: vec![Part::text(words.to_string())], is_error: true }
    }

    /// Parts as they are: images, documents.
    pub fn parts(parts: impl Into<Vec<Part>>) -> Self {
        Self { parts: parts.into(), is_error: false }
    }

    /// A value: a string as it is, anything else as JSON.
    fn value(value: &impl Serialize) -> Self {
        match serde_json::to_value(value) {
            Ok(Value::String(text)) => Self::parts([Part::text(text)]),
            Ok(value) => Self::parts([Part::text(value.to_string())]),
            Err(error) => Self::error(format_args!("the tool's result has no JSON form: {error}")),
        }
    }
}

impl Default for Toolbox {
    /// No tools; a minute for each call.
    fn default() -> Self {
        let timeout = Duration::from_secs(60);
        Self { tools: Vec::new(), functions: HashMap::new(), approval: None, timeout }
    }
}

impl Toolbox {
    /// An empty toolbox.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a function, with the JSON Schema of its arguments. The arguments are read as `A`; what does not fit is
    /// told to the model, which usually tries again. So is an `Err`. A function of the same name is replaced.
    #[must_use]
    pub fn function<A, R, E, F>(
        mut self,
        name: impl Into<String>,
        description: impl Into<String>,
        parameters: Value,
        function: impl Fn(A) -> F + Send + Sync + 'static,
    ) -> Self
    where
        A: DeserializeOwned + Send + 'static,
        R: Serialize + Send + 'static,
        E: fmt::Display + Send + 'static,
        F: Future<Output = Result<R, E>> + Send + 'static,
    {
        let call = move |call: ToolCall| -> BoxFuture<'static, Output> {
            let arguments = if call.arguments.trim().is_empty() { "{}" } else { &call.arguments };
            match serde_json::from_str(arguments) {
                Ok(arguments) => Box::pin(function(arguments).map(|result| match result {
                    Ok(value) => Output::value(&value),
                    Err(error) => Output::error(error),
                })),
                Err(error) => {
                    let output = Output::error(format_args!("the arguments do not fit the schema: {error}"));
                    Box::pin(std::future::ready(output))
                }
            }
        };
        self.add(Tool::function(name, description, parameters), call);
        self
    }

    /// Adds a function whose arguments' schema is their Rust type's.
    ///
    /// ```
    /// # use sabir::tools::Toolbox;
    /// #[derive(serde::Deserialize, schemars::JsonSchema)]
    /// struct Sum {
    ///     /// The numbers to add.
    ///     numbers: Vec<f64>,
    /// }
    /// let tools = Toolbox::new()
    ///     .typed("sum", "Adds numbers", |sum: Sum| async move { Ok::<_, String>(sum.numbers.iter().sum::<f64>()) });
    /// ```
    #[cfg(feature = "schema")]
    #[must_use]
    pub fn typed<A, R, E, F>(
        self,
        name: impl Into<String>,
        description: impl Into<String>,
        function: impl Fn(A) -> F + Send + Sync + 'static,
    ) -> Self
    where
        A: DeserializeOwned + schemars::JsonSchema + Send + 'static,
        R: Serialize + Send + 'static,
        E: fmt::Display + Send + 'static,
        F: Future<Output = Result<R, E>> + Send + 'static,
    {
        self.function(name, description, crate::extract::schema_of::<A>(), function)
    }

    /// Adds a function that takes a call as it came and gives back parts: for tools that are known only at run time
    /// (of an MCP server, for instance) or give images.
    #[must_use]
    pub fn raw<F>(mut self, tool: Tool, function: impl Fn(ToolCall) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Output> + Send + 'static,
    {
        self.add(tool, move |call| Box::pin(function(call)));
        self
    }

    fn add(&mut self, tool: Tool, function: impl Fn(ToolCall) -> BoxFuture<'static, Output> + Send + Sync + 'static) {
        let Tool::Function(definition) = &tool else { return };
        let name = definition.name.clone();
        self.tools.retain(|known| !matches!(known, Tool::Function(known) if known.name == name));
        self.tools.push(tool);
        self.functions.insert(name, Arc::new(function));
    }

    /// Asks before each call is carried out.
    #[must_use]
    pub fn approve<F>(mut self, ask: impl Fn(ToolCall) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Approval> + Send + 'static,
    {
        self.approval = Some(Arc::new(move |call| Box::pin(ask(call))));
        self
    }

    /// How long one call may take; a minute unless said otherwise. Waiting for an approval does not count.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The tools, as a request names them.
    pub fn definitions(&self) -> &[Tool] {
        &self.tools
    }

    /// Whether there is a function of this name.
    pub fn has(&self, name: &str) -> bool {
        self.functions.contains_key(name)
    }

    /// Carries out one call. Never fails and never panics: whatever goes wrong is the result, for the model to read.
    pub async fn call(&self, call: ToolCall) -> ToolResult {
        let (call_id, name) = (call.id.clone(), call.name.clone());
        let Output { parts, is_error } = self.output(call).await;
        ToolResult { call_id, name: Some(name), parts, is_error }
    }

    async fn output(&self, call: ToolCall) -> Output {
        let Some(function) = self.functions.get(&call.name) else {
            let mut names: Vec<&str> = self.functions.keys().map(String::as_str).collect();
            names.sort_unstable();
            return Output::error(format_args!("there is no tool {:?}; there are: {}", call.name, names.join(", ")));
        };
        if let Some(ask) = &self.approval
            && let Approval::Denied(why) = ask(call.clone()).await
        {
            return Output::error(format_args!("the call was not allowed: {why}"));
        }
        // The closure itself may panic, too, before there is a future.
        let run = AssertUnwindSafe(async { function(call).await }).catch_unwind();
        match tokio::time::timeout(self.timeout, run).await {
            Ok(Ok(output)) => output,
            Ok(Err(_)) => Output::error("the tool failed unexpectedly"),
            Err(_) => Output::error(format_args!("the tool gave no result within {:?}", self.timeout)),
        }
    }
}

impl fmt::Debug for Toolbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.functions.keys()).finish()
    }
}
