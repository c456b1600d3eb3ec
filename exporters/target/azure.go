package target

// azure is OpenAI's form as Azure OpenAI (Foundry) takes it: the files begin
// with a byte order mark, and a message may have up to 64 images.
//
// Limits: 10 examples and 512 MB a file. (MicrosoftDocs, fine-tuning, copy of
// 2025-11.) What it says of tokens is not published where we looked; OpenAI's
// figure holds.
func azure() *Target {
	t := openAI()
	t.Name, t.Doc, t.Provider = "azure", "Azure OpenAI supervised fine-tuning, chat with tools", "azure"
	t.BOM, t.MaxImages = true, 64
	return t
}
