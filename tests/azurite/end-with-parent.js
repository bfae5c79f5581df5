// Preloaded into Azurite: asks it to close when its standard input ends, that is, when the test
// that started it is gone, however that came about.
process.stdin.resume().once("end", () => process.kill(process.pid, "SIGTERM"));
