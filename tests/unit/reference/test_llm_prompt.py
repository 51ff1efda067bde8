from probe.reference.llm_prompt import EMPTY_THINK_BLOCK, Message, chatml


def test_chatml_up_to_the_answer() -> None:
    messages = [Message("system", "Be brief."), Message("user", "Hi")]
    assert chatml(messages) == (
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
    )


def test_empty_think_block_comes_after_the_assistant_tag() -> None:
    prompt = chatml([Message("user", "Hi")], answer_prefix=EMPTY_THINK_BLOCK)
    assert prompt.endswith("<|im_start|>assistant\n<think>\n\n</think>\n\n")
