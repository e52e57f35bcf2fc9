import ArgumentParser

struct Demo: ParsableCommand {}
struct DemoSender: ParsableCommand {}
struct DemoReceiver: ParsableCommand {}
