//! ami-bake: the steps room.
