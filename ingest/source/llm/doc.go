// Package llm reads recorded exchanges with language-model APIs (OpenAI chat
// completions and responses, Anthropic messages, Gemini generateContent), whole
// or streamed, into gateway calls. It knows the wire shapes, not the files that
// hold them: the packages openai, anthropic, cassette and litellm do, and
// langgraph borrows the messages.
//
// Start at Parse. What it promises to those who read the calls:
//
//   - A request that repeats an earlier reply holds the same message as that
//     reply's Output, whatever the API: role, content, tool calls. (Ids, reasoning
//     and parts may differ: clients drop and rename them.)
//   - Text blocks of one assistant message that touch each other are joined as
//     they are; blocks with something between them, and the blocks of any other
//     message, by an empty line.
//   - Tool-call arguments are the JSON text as sent, compacted where the API
//     sends an object; free text of a custom tool is {"input": text}.
//   - A think tag at the head of an assistant's text moves to Reasoning.
//   - Encrypted content and signatures are dropped; binary data become a hash and
//     a length; everything else without a column stays as JSON in Parts or Params.
package llm
