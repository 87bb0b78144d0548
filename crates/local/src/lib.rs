//! ami-bake: the local room.
