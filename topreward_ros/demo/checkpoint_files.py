# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Files of a small Qwen3-VL checkpoint, in the layout of the published ones."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from topreward_ros.scoring.engine.geometry import LEAST_CLIP_PIXELS
from topreward_ros.scoring.frame_fits import CLIP_FRAMES
from topreward_ros.scoring.reward_models.topreward.layout import TOPREWARD

SPECIAL_TOKENS = (
    '<|endoftext|>',
    '<|im_start|>',
    '<|im_end|>',
    '<|vision_start|>',
    '<|vision_end|>',
    '<|vision_pad|>',
    '<|image_pad|>',
    '<|video_pad|>',
)
PIXELS_PER_CLIP = 25_165_824  # of the published processor
PIXELS_PER_PICTURE = 65_536, 16_777_216
PATCH = 16
# Qwen's pre-tokenization pattern
WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r'|\s*[\r\n]+|\s+(?!\S)|\s+'
)
# Scoring needs turns with videos, images and text only.
CHAT_TEMPLATE = r"""{%- for message in messages %}
{{- '<|im_start|>' + message.role + '\n' }}
{%- for content in message.content %}
{%- if content.type == 'video' %}<|vision_start|><|video_pad|><|vision_end|>
{%- elif content.type == 'image' %}<|vision_start|><|image_pad|><|vision_end|>
{%- else %}{{- content.text }}{%- endif %}
{%- endfor %}
{{- '<|im_end|>\n' }}
{%- endfor %}"""


def new_model(
    folder: Path, shape: dict[str, Any], words: Iterable[str] = (), added: Sequence[str] = ()
) -> Any:
    """Write all files except the weights; return the model, whose weights are not set yet.

    Each word becomes a token, as the words of the question do; added: special tokens beyond
    Qwen3-VL's.
    """
    from transformers import Qwen3VLConfig, Qwen3VLForConditionalGeneration

    config = _config(shape, _write_tokenizer(folder, words, added))
    _write_json(folder / 'config.json', config)
    _write_processor(folder, shape)
    return Qwen3VLForConditionalGeneration(Qwen3VLConfig.from_dict(config))


def save_weights(folder: Path, model: Any) -> None:
    """Write the weights; config.json stays in the form that all transformers versions read."""
    config = (folder / 'config.json').read_bytes()
    model.save_pretrained(folder)
    (folder / 'config.json').write_bytes(config)


def _config(shape: dict[str, Any], ids: dict[str, int]) -> dict[str, Any]:
    text = {
        'model_type': 'qwen3_vl_text',
        'vocab_size': shape.get('vocabulary', len(ids)),
        'max_position_embeddings': 262_144,
        'rope_theta': shape.get('rope_theta', 5_000_000),
        'rope_scaling': {
            'rope_type': 'default',
            'mrope_interleaved': True,
            'mrope_section': shape['mrope_section'],
        },
        'bos_token_id': ids['<|endoftext|>'],
        'eos_token_id': ids['<|im_end|>'],
        **shape['text'],
    }
    vision = {
        'model_type': 'qwen3_vl',
        'out_hidden_size': shape['text']['hidden_size'],
        'patch_size': shape.get('patch', PATCH),
        'spatial_merge_size': shape.get('merge', 2),
        'temporal_patch_size': 2,
        'num_position_embeddings': shape.get('position_embeddings', 2304),
        'deepstack_visual_indexes': shape['deepstack'],
        **shape['vision'],
    }
    return {
        'architectures': ['Qwen3VLForConditionalGeneration'],
        'model_type': 'qwen3_vl',
        'text_config': text,
        'vision_config': vision,
        'image_token_id': ids['<|image_pad|>'],
        'video_token_id': ids['<|video_pad|>'],
        'vision_start_token_id': ids['<|vision_start|>'],
        'vision_end_token_id': ids['<|vision_end|>'],
        'tie_word_embeddings': False,
    }


def _write_tokenizer(folder: Path, words: Iterable[str], added: Sequence[str]) -> dict[str, int]:
    """Write a byte-level BPE tokenizer with the words of the prompt as tokens; return all ids."""
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers
    from tokenizers import pre_tokenizers as cutting

    vocabulary = {token: k for k, token in enumerate(sorted(cutting.ByteLevel.alphabet()))}
    merges = []
    prompt = TOPREWARD.template + TOPREWARD.true + TOPREWARD.false + ' seconds user'
    texts = [prompt.replace('{task}', ''), *words]
    for word in sorted({word for text in texts for word in re.findall(r' ?[A-Za-z]+', text)}):
        letters = word.replace(' ', 'Ġ')
        for end in range(1, len(letters)):
            pair = letters[:end], letters[end]
            if pair not in merges:
                merges.append(pair)
                vocabulary.setdefault(''.join(pair), len(vocabulary))
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = cutting.Sequence(
        [
            cutting.Split(Regex(WORDS), behavior='isolated'),
            cutting.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(
        [AddedToken(token, special=True) for token in (*SPECIAL_TOKENS, *added)]
    )
    tokenizer.save(str(folder / 'tokenizer.json'))
    _write_json(
        folder / 'tokenizer_config.json',
        {
            'tokenizer_class': 'Qwen2Tokenizer',
            'eos_token': '<|im_end|>',
            'pad_token': '<|endoftext|>',
            'model_max_length': 262_144,
            'additional_special_tokens': list(SPECIAL_TOKENS[1:]),
        },
    )
    return dict(tokenizer.get_vocab(with_added_tokens=True))


def _write_processor(folder: Path, shape: dict[str, Any]) -> None:
    """Write the files of the Hugging Face processor; the package itself reads mean and std only."""
    longest = shape.get('pixels_per_clip', PIXELS_PER_CLIP)
    least, most = PIXELS_PER_PICTURE
    if longest != PIXELS_PER_CLIP:  # pictures as small as the frames of videos
        most = longest // CLIP_FRAMES
        least = min(least, LEAST_CLIP_PIXELS)
    common = {
        'patch_size': shape.get('patch', PATCH),
        'temporal_patch_size': 2,
        'merge_size': shape.get('merge', 2),
        'image_mean': [0.5, 0.5, 0.5],
        'image_std': [0.5, 0.5, 0.5],
        'processor_class': 'Qwen3VLProcessor',
    }
    _write_json(
        folder / 'video_preprocessor_config.json',
        {
            **common,
            'size': {'longest_edge': longest, 'shortest_edge': 4096},
            'video_processor_type': 'Qwen3VLVideoProcessor',
            **({'frame_fit': shape['frame_fit']} if 'frame_fit' in shape else {}),
        },
    )
    _write_json(
        folder / 'preprocessor_config.json',
        {
            **common,
            'size': {'longest_edge': most, 'shortest_edge': least},
            'image_processor_type': 'Qwen2VLImageProcessorFast',
        },
    )
    (folder / 'chat_template.jinja').write_text(CHAT_TEMPLATE, encoding='utf-8')


def _write_json(file: Path, content: dict[str, Any]) -> None:
    file.write_text(json.dumps(content, indent=2), encoding='utf-8')
