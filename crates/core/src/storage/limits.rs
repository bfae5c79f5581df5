//! Decorators that refuse, before any adapter sees it, what Azure would refuse.
