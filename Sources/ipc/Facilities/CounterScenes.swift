import InterprocessSystem
import SystemPackage

final class EventCounterScene: FacilityScene {
    private let counter: EventCounter
    init(in place: ScenePlace, forEverybody: Bool) throws { counter = try EventCounter() }

    var address: SceneAddress { .passed([counter.descriptor]) }
    var descriptor: FileDescriptor? { counter.descriptor }
    static func join(_ address: String) throws {
        _ = EventCounter(owning: FileDescriptor(rawValue: 3)).addAndRelease(5)
    }

    func boundaries() throws -> String {
        try counter.add(1)
        try counter.add(2)
        return try counter.tryTake() == 3 ? "a number that adds up" : "?"
    }
    func lasts() throws -> String { address.text.isEmpty ? "as long as somebody has it" : "?" }
    func death(in place: ScenePlace, _ row: FacilityRow) throws -> String {
        let other = try ScenePeer(row, address)
        other.kill()
        guard try counter.tryTake() == 5 else { throw Unexpected("what it had added is gone") }
        return try counter.tryTake() == nil ? "nothing to be seen" : "?"
    }
}

extension EventCounter {
    fileprivate consuming func addAndRelease(_ count: UInt64) -> FileDescriptor {
        try? add(count)
        return release()
    }
}

final class TimerScene: FacilityScene {
    private let timer: TimerDescriptor
    init(in place: ScenePlace, forEverybody: Bool) throws { timer = try TimerDescriptor() }

    var address: SceneAddress { .passed([timer.descriptor]) }
    var descriptor: FileDescriptor? { timer.descriptor }

    func boundaries() throws -> String {
        try timer.set(after: .milliseconds(1), every: .milliseconds(1))
        // So many times as it has expired, in one read.
        while try timer.take(until: .after(.seconds(10))) < 2 { sleepThread(for: .milliseconds(3)) }
        try timer.stop()
        return "a number that adds up"
    }
    func lasts() throws -> String { address.text.isEmpty ? "as long as somebody has it" : "?" }
    func death(in place: ScenePlace, _ row: FacilityRow) throws -> String {
        let other = try ScenePeer(row, address)
        try timer.set(after: .milliseconds(1))
        other.kill()
        return try timer.take(until: .after(.seconds(10))) == 1 ? "nothing to be seen" : "?"
    }
}

/// Another process, held.
final class ProcessScene: FacilityScene {
    private let child: ScenePeer
    private let process: ProcessDescriptor

    init(in place: ScenePlace, forEverybody: Bool) throws {
        child = try ScenePeer(FacilityTable.sleeper, .passed([]), asAnotherUser: forEverybody)
        process = try ProcessDescriptor(opening: child.pid)
    }

    var address: SceneAddress { .process(child.pid) }
    var descriptor: FileDescriptor? { process.descriptor }
    static func join(_ address: String) throws {
        guard let pid = Int32(address) else { throw Unexpected("no number") }
        let process = try ProcessDescriptor(opening: pid)
        try keep(process.descriptor)
    }

    /// It stays readable, however often it is asked.
    func boundaries() throws -> String {
        child.kill()
        return try process.hasEnded() && process.hasEnded() ? "one event: its end" : "?"
    }
    func lasts() throws -> String {
        child.kill()
        // The number may be another's by now; the descriptor says still that this one has ended.
        return try process.hasEnded() ? "as long as somebody has it" : "?"
    }
    func death(in place: ScenePlace, _ row: FacilityRow) throws -> String {
        let before = try process.hasEnded()
        child.kill()
        return try !before && process.wait(until: .after(.seconds(10))) ? "readable at once" : "?"
    }
}
