import Glibc
import Interprocess
import InterprocessSystem
import QueueTestSupport
import SystemPackage
import TestSupport

/// Processes whose doings a wait set reports. Arguments: DIRECTORY ….
let waitSetCommands: [String: Command] = [
    "waitset-send": waitSetSend, "waitset-steps": waitSetSteps, "waitset-sleep": waitSetSleep, "waitset-leaks": waitSetLeaks,
    "waitset-fork": waitSetFork,
]

/// What cannot be in an array.
private final class Sending {
    var sender: Sender<UInt64>
    init(_ index: Int, in directory: ObjectDirectory) throws {
        sender = try Sender(to: WaitSetPlace.name(index), capacity: 16, options: QueueOptions(directory: directory))
    }
}

/// waitset-send DIRECTORY QUEUES MESSAGES SEED: sends so many numbered messages into each of the queues, in random order, at random moments; then leaves.
@Sendable private func waitSetSend(_ arguments: [String]) throws {
    let directory = ObjectDirectory(at: FilePath(arguments[0]))
    let (queues, messages, seed) = (try arguments.number(1), try arguments.number(2), try arguments.number(3))
    var random = SeededRandom(seed: UInt64(seed))
    let senders = try (0..<queues).map { try Sending($0, in: directory) }
    say("ready")
    guard readLine() != nil else { return }
    var left = (0..<queues).flatMap { [Int](repeating: $0, count: messages) }
    left.shuffle(using: &random)
    for index in left {
        let sender = senders[index]
        try sender.sender.send(sender.sender.nextSequence)
        // Mostly until those who wait are asleep.
        if random.next() % 4 == 0 { sleepThread(for: .microseconds(Int(random.next() % 300))) }
    }
    say("sent")
    while let line = readLine() {
        guard line == "again", let index = readLine().flatMap({ Int($0) }) else { break }
        try senders[index].sender.send(senders[index].sender.nextSequence)
    }
}

/// waitset-steps DIRECTORY ROUNDS SEED: does one of the steps after the other, in random order, each when the one before was taken. Descriptor 3 is a pipe.
@Sendable private func waitSetSteps(_ arguments: [String]) throws {
    let place = try WaitSetPlace(in: ObjectDirectory(at: FilePath(arguments[0])))
    var random = SeededRandom(seed: UInt64(try arguments.number(2)))
    let options = QueueOptions(directory: place.directory)
    var values = try Sender<UInt64>(to: "values", options: options)
    var bytes = try ByteSender(to: "bytes", options: options)
    var dropping = try Sender<UInt64>(
        to: "dropping", capacity: 4, options: QueueOptions(directory: place.directory, overflow: .dropOldest))
    var taking = try Receiver<UInt64>(from: "room", options: options)
    say("ready")
    for round in 0..<(try arguments.number(1)) {
        // Now and then, so that who waits is polling, about to sleep, or asleep.
        for _ in 0..<random.next() % 3000 { Processor.pause() }
        switch WaitSetPlace.Step.allCases.randomElement(using: &random) ?? .value {
        case .value: try values.send(UInt64(round))
        case .bytes: try bytes.send([1, 2, 3])
        case .drop: try dropping.send(UInt64(round))
        case .room: _ = try taking.receive()
        case .manual: try place.manual.set()
        case .automatic: try place.automatic.set()
        case .semaphore: try place.semaphore.signal()
        case .notifier: try place.notifier.notify(Int.random(in: 0..<WaitSetPlace.ids, using: &random))
        case .pipe: try FileDescriptor(rawValue: 3).writeAll([7])
        }
        try place.acknowledged.wait(until: .after(.seconds(60)))
    }
    say("done")
    try forEachLine { _ in }
}

/// waitset-sleep DIRECTORY PLACE WHAT: waits on a set of one object, says what it was told, and takes nothing.
@Sendable private func waitSetSleep(_ arguments: [String]) throws {
    let place = try arguments.syncPlace()
    var set = WaitSet(strategy: .park)
    switch arguments[2] {
    case "semaphore": _ = set.add(try place.semaphore())
    case "event-automatic": _ = set.add(try place.event(.automatic))
    default: throw BadArguments()
    }
    say("waiting")
    say("told \(try set.wait(until: .after(.seconds(120))).count)")
    try forEachLine { _ in }
}

/// waitset-fork DIRECTORY: what a forked child finds of a set.
@Sendable private func waitSetFork(_ arguments: [String]) throws {
    let place = try WaitSetPlace(in: ObjectDirectory(at: FilePath(arguments[0])))
    var set = WaitSet()
    let source = set.add(place.semaphore)
    try forkAndWait {
        say(
            "wait "
                + syncOutcome {
                    _ = try set.wait(until: .after(.seconds(1)))
                    return "got"
                })
    }
    try place.semaphore.signal()
    say("parent \(try set.wait().map { $0.source == source && $0.condition == .ready })")
}

/// waitset-leaks DIRECTORY SETS: makes and ends sets that have threads and a pipe; says how many threads and descriptors there were before, and are in the end.
@Sendable private func waitSetLeaks(_ arguments: [String]) throws {
    let directory = ObjectDirectory(at: FilePath(arguments[0]))
    let options = SynchronizationOptions(directory: directory)
    let segment = try Segment.create("many", size: 200 * 128, in: directory)
    let events = try (0..<200).map { try SharedEvent(in: segment, at: $0 * 128) }
    let queue = try Sender<UInt64>(to: "q", options: QueueOptions(directory: directory))
    let once = try SharedEvent(named: "once", options: options)
    func counts() throws -> (Int, Int) {
        let threads = try Directory(opening: "/proc/self/task").names()
        let descriptors = try Directory(opening: "/proc/self/fd").names()
        return (threads.count, descriptors.count)
    }
    let before = try counts()
    var most = 0
    for _ in 0..<(try arguments.number(1)) {
        var set = WaitSet(strategy: .park)
        for event in events { _ = set.add(event) }
        _ = set.add(roomIn: queue)
        _ = set.add(once)
        let pipe = try Pipe()
        let source = try set.add(pipe.reading.descriptor, for: .reading)
        set.remove(set.add(once))
        // Ready is the room; without it, it sleeps.
        guard try set.wait().count == 1 else { throw BadArguments() }
        var other = WaitSet(strategy: .park)
        for event in events { _ = other.add(event) }
        _ = try other.add(pipe.reading.descriptor, for: .reading)
        do throws(WaitError) { _ = try other.wait(until: .after(.milliseconds(1))) } catch {}
        most = max(most, try counts().0)
        set.remove(source)
    }
    var after = try counts()
    // A thread that was told to end does so when it runs.
    let limit = MonotonicInstant.now.advanced(by: .seconds(60))
    while after != before, .now < limit {
        sleepThread(for: .milliseconds(1))
        after = try counts()
    }
    say(after == before && most > before.0 ? "none" : "\(before), at most \(most) threads, \(after)")
    withExtendedLifetime(segment) {}
}
