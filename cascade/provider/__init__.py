"""The only room that knows the OpenAI SDK: sending, classifying failures, retrying, downgrading."""
