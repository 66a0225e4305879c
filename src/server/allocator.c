/*
 * What jemalloc reads at its start (jemalloc(3), TUNING). Almost everything is allocated by the
 * one loop thread, so two arenas do; what a big answer or a compaction freed goes back to the
 * system within a few seconds.
 */
extern const char *malloc_conf;
const char *malloc_conf = "narenas:2,background_thread:true,dirty_decay_ms:1000,muzzy_decay_ms:0";
