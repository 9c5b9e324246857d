// The first position that the query at this one sees: in layers that slide, of the last WINDOW.
fn first_seen(position: u32) -> u32 { return select(0u, position + 1u - sizes.WINDOW, sizes.WINDOW > 0u && position >= sizes.WINDOW); }
