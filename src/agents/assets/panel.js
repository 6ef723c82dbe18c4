// A cited passage beside the conversation.
