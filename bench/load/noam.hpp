// Load for a Noam host: lemmas without any framework, which play and count events, or only send
// their heart-beats. Public; blocks the calling thread, which does all work.
#pragma once

#include <bench/load/closed_loop.hpp>
#include <hawser/base/result.hpp>

namespace hawser::bench {

/// One lemma plays, `connections` others hear: `depth` events are in flight, and the next leaves
/// when all have heard one. A "packet" of the result is an event that one of them has heard; each
/// is compared with what was played, in order. `payload` is the length of the event's value.
/// Errors: those of run_closed_loop.
Result<LoadResult> run_noam_events(const LoadPlan& plan);

/// `connections` lemmas that each send a heart-beat every `beat`, spread evenly, and await its
/// answer. A "packet" is an answer. Errors: the same.
Result<LoadResult> run_noam_beats(const LoadPlan& plan, Duration beat);

}  // namespace hawser::bench
