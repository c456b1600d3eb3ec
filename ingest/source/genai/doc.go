// Package genai reads what tracers record of calls of language models: the
// messages in the shapes that they write them in, and the attributes of
// OpenTelemetry's spans under the names that the conventions, old and new, and
// the larger instrumentations give them. It knows no files: the packages otel
// and langfuse do.
//
// Start at Span.Calls, or at Messages for a conversation alone. All of it ends
// in the messages and calls of the package llm and keeps that package's
// promises.
package genai
