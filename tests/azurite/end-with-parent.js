// Preloaded into Azurite: ends it when its standard input ends, that is, when the test that
// started it is gone, however that came about, and when it is asked to. It ends at once, without
// waiting for idle connections: it keeps everything in memory, so that there is nothing to save.
const end = () => process.exit(0);
process.stdin.resume().once("end", end);
process.once("SIGTERM", end);
