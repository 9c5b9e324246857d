// A layer whose queries see no more than WINDOW positions, their own included. 0: they see the whole prefix.
override WINDOW: u32;

// The first position that the query at this one sees.
fn first_seen(position: u32) -> u32 { return select(0u, position + 1u - WINDOW, WINDOW > 0u && position >= WINDOW); }
