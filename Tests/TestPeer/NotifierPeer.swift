import Glibc
import Interprocess
import InterprocessSystem
import QueueTestSupport
import SystemPackage
import TestSupport

/// Processes at a notifier. Arguments: DIRECTORY ….
let notifierCommands: [String: Command] = [
    "notifier-notify": notifierNotify, "notifier-listen": notifierListen, "notifier-fork": notifierFork,
    "notifier-scribble": notifierScribble, "attach-notifier": attachNotifier,
]

/// notifier-notify DIRECTORY WORKER SEED ROUNDS: notifies at random, until it is over or so often, and says "done".
@Sendable private func notifierNotify(_ arguments: [String]) throws {
    let directory = ObjectDirectory(at: FilePath(arguments[0]))
    let (worker, seed, rounds) = (try arguments.number(1), try arguments.number(2), try arguments.number(3))
    let account = try NotifierAccount(in: directory)
    let notifier = try NotifierAccount.notifier(in: directory)
    var random = SeededRandom(seed: UInt64(seed))
    say("ready")
    var round = 0
    while !account.isOver, rounds == 0 || round < rounds {
        round += 1
        let id = Int.random(in: 0..<NotifierAccount.ids, using: &random)
        let count = Int.random(in: 1...3, using: &random)
        try account.notifying(worker, id, count) { try notifier.notify(id, count: count) }
        if rounds == 0 || random.next() % 64 == 0 { for _ in 0..<random.next() % 2000 { Processor.pause() } }
    }
    say("done")
    try forEachLine { _ in }
}

/// notifier-listen DIRECTORY ID …: listens to these, or to all, and says what came: "ID:COUNT …" for each wait.
@Sendable private func notifierListen(_ arguments: [String]) throws {
    let notifier = try NotifierAccount.notifier(in: ObjectDirectory(at: FilePath(arguments[0])), strategy: .park)
    let ids = try arguments.indices.dropFirst().map { try arguments.number($0) }
    let listener = ids.isEmpty ? notifier.listen() : try notifier.listen(to: ids)
    say("waiting")
    while true {
        let found = try listener.wait(until: .after(.seconds(120)))
        say(found.map { "\($0.id):\($0.count)" }.joined(separator: " "))
    }
}

/// notifier-fork DIRECTORY: what a forked child finds.
@Sendable private func notifierFork(_ arguments: [String]) throws {
    let notifier = try NotifierAccount.notifier(in: ObjectDirectory(at: FilePath(arguments[0])))
    let listener = notifier.listen()
    try forkAndWait {
        say(
            "notify "
                + syncOutcome {
                    try notifier.notify(1)
                    return "got"
                })
        say(
            "wait "
                + syncOutcome {
                    _ = try listener.wait(until: .after(.seconds(1)))
                    return "got"
                })
        say(
            "poll "
                + syncOutcome {
                    _ = try listener.poll()
                    return "got"
                })
    }
    try notifier.notify(2)
    say("parent \(try listener.poll().map(\.id))")
}

/// notifier-scribble DIRECTORY SEED: overwrites words of the notifier at random until it is killed.
@Sendable private func notifierScribble(_ arguments: [String]) throws {
    let segment = try Segment.open("place", in: ObjectDirectory(at: FilePath(arguments[0])))
    var random = SeededRandom(seed: UInt64(try arguments.number(1)))
    say("ready")
    while true {
        unsafe segment.withBytes { bytes in
            let place = Int.random(in: 0..<bytes.count / 4, using: &random) * 4
            unsafe SharedUInt32(at: bytes.baseAddress! + place).storeRelease(UInt32(truncatingIfNeeded: random.next()))
        }
        for _ in 0..<random.next() % 5000 { Processor.pause() }
    }
}

/// attach-notifier DIRECTORY: has the notifier open.
@Sendable private func attachNotifier(_ arguments: [String]) throws {
    let notifier = try NotifierAccount.notifier(in: ObjectDirectory(at: FilePath(arguments[0])))
    say("attached")
    try forEachLine { _ in }
    withExtendedLifetime(notifier) {}
}
