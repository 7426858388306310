"""Stacks of images reduced to one."""

from mizzle.kernel.stack.front import fill_holes, reduce_stack
from mizzle.kernel.stack.types import StackRule

__all__ = [
    "StackRule",
    "fill_holes",
    "reduce_stack",
]
