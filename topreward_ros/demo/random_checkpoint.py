# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A Qwen3-VL checkpoint with random weights: real classes and files, numbers that mean nothing.

It goes through the same loading code as the published models, so it serves to try the package and
to test and time it. The weights depend on the seed alone, not on the version of any library.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..scoring.questions import TOPREWARD

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
# Qwen's own rule for cutting a text into words
WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r'|\s*[\r\n]+|\s+(?!\S)|\s+'
)
# One video or image in a turn is all that scoring ever asks for.
CHAT_TEMPLATE = r"""{%- for message in messages %}
{{- '<|im_start|>' + message.role + '\n' }}
{%- for content in message.content %}
{%- if content.type == 'video' %}<|vision_start|><|video_pad|><|vision_end|>
{%- elif content.type == 'image' %}<|vision_start|><|image_pad|><|vision_end|>
{%- else %}{{- content.text }}{%- endif %}
{%- endfor %}
{{- '<|im_end|>\n' }}
{%- endfor %}"""

_TINY: dict[str, Any] = {
    'text': {
        'hidden_size': 64,
        'intermediate_size': 128,
        'num_hidden_layers': 4,
        'num_attention_heads': 4,
        'num_key_value_heads': 2,
        'head_dim': 32,
    },
    'vision': {'depth': 4, 'hidden_size': 64, 'intermediate_size': 128, 'num_heads': 4},
    'mrope_section': [6, 5, 5],
    'deepstack': [0, 1, 2],
    'std': 0.15,
}
# About 80 million parameters: slow enough on a CPU that a step's cost shows.
_SMALL: dict[str, Any] = {
    'text': {
        'hidden_size': 512,
        'intermediate_size': 1536,
        'num_hidden_layers': 16,
        'num_attention_heads': 8,
        'num_key_value_heads': 4,
        'head_dim': 64,
    },
    'vision': {'depth': 8, 'hidden_size': 384, 'intermediate_size': 1536, 'num_heads': 6},
    'mrope_section': [12, 10, 10],
    'deepstack': [2, 4, 6],
    'std': 0.05,
}
SHAPES = {'tiny': _TINY, 'small': _SMALL}


def random_checkpoint(shape: str = 'tiny', seed: int = 0) -> Path:
    """The folder of a random checkpoint in the user's cache, made there if it is not yet."""
    cache = Path(os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache')
    folder = cache / 'topreward_ros' / f'random-{shape}-{seed}-v1'
    if not folder.exists():
        write_random_checkpoint(folder, shape, seed)
    return folder


def write_random_checkpoint(folder: Path, shape: str = 'tiny', seed: int = 0) -> None:
    """Write a checkpoint in Hugging Face layout; complete or not at all."""
    from transformers import Qwen3VLConfig, Qwen3VLForConditionalGeneration

    folder.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f'.{folder.name}-'))
    try:
        ids = _write_tokenizer(part)
        config = _config(SHAPES[shape], ids)
        model = Qwen3VLForConditionalGeneration(Qwen3VLConfig.from_dict(config))
        _fill(model, SHAPES[shape]['std'], seed)
        model.save_pretrained(part)
        # In the words of the published models, which every version of transformers reads.
        _write_json(part / 'config.json', config)
        _write_processor(part)
        part.chmod(0o755)
        part.rename(folder)
    except OSError:
        if not folder.exists():  # another process was not quicker either
            raise
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _fill(model: torch.nn.Module, std: float, seed: int) -> None:
    for name, tensor in model.state_dict().items():
        random = np.random.default_rng([seed, zlib.crc32(name.encode())])
        noise = torch.from_numpy(random.standard_normal(tuple(tensor.shape), dtype=np.float32))
        is_scale = 'norm' in name and name.endswith('weight')
        tensor.copy_(1 + 0.1 * noise if is_scale else std * noise)


def _config(shape: dict[str, Any], ids: dict[str, int]) -> dict[str, Any]:
    text = {
        'model_type': 'qwen3_vl_text',
        'vocab_size': len(ids),
        'max_position_embeddings': 262_144,
        'rope_theta': 5_000_000,
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
        'patch_size': 16,
        'spatial_merge_size': 2,
        'temporal_patch_size': 2,
        'num_position_embeddings': 2304,
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


def _write_tokenizer(folder: Path) -> dict[str, int]:
    """A byte-level BPE tokenizer with the words of the prompt as tokens; returns all ids."""
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers
    from tokenizers import pre_tokenizers as cutting

    vocabulary = {token: k for k, token in enumerate(sorted(cutting.ByteLevel.alphabet()))}
    merges = []
    prompt = TOPREWARD.template + TOPREWARD.true + TOPREWARD.false + ' seconds user'
    for word in sorted(set(re.findall(r' ?[A-Za-z]+', prompt.replace('{task}', '')))):
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
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in SPECIAL_TOKENS])
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


def _write_processor(folder: Path) -> None:
    """What the Hugging Face processor reads; the package itself needs the mean and deviation."""
    common = {
        'patch_size': 16,
        'temporal_patch_size': 2,
        'merge_size': 2,
        'image_mean': [0.5, 0.5, 0.5],
        'image_std': [0.5, 0.5, 0.5],
        'processor_class': 'Qwen3VLProcessor',
    }
    _write_json(
        folder / 'video_preprocessor_config.json',
        {
            **common,
            'size': {'longest_edge': 25_165_824, 'shortest_edge': 4096},
            'video_processor_type': 'Qwen3VLVideoProcessor',
        },
    )
    _write_json(
        folder / 'preprocessor_config.json',
        {
            **common,
            'size': {'longest_edge': 16_777_216, 'shortest_edge': 65_536},
            'image_processor_type': 'Qwen2VLImageProcessorFast',
        },
    )
    (folder / 'chat_template.jinja').write_text(CHAT_TEMPLATE, encoding='utf-8')


def _write_json(file: Path, content: dict[str, Any]) -> None:
    file.write_text(json.dumps(content, indent=2), encoding='utf-8')
