//! ami-bake: the ssh room.
