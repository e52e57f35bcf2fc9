import InterprocessSystem
import TestSupport
import Testing

@testable import Interprocess

extension ToolTests {
    private struct Point: Shareable { var x = 0.0, y = 0.0 }

    private var locks: SynchronizationOptions { SynchronizationOptions(directory: directory.objects) }

    /// What `list`, `who` and `inspect` say of `name`, and that looking changes nothing, unless somebody else may.
    private func expect(
        _ name: String, content: String, figures: [String], parts: [String], isStill: Bool = true,
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        let before = try Run.read(directory.path(of: name))
        let list = try await ipc(["list"]).text.split(separator: "\n").first { $0.hasPrefix("\(name) ") } ?? ""
        #expect(list.contains(" \(content) "), "\(list)", sourceLocation: sourceLocation)
        let (who, inspect) = (try await ipc(["who", name]), try await ipc(["inspect", name]))
        let json = try await ipc(["inspect", "--json", name])
        #expect(who.status == 0 && inspect.status == 0 && json.status == 0, "\(who.error)\(inspect.error)", sourceLocation: sourceLocation)
        for part in parts {
            #expect(who.text.contains(part) && inspect.text.contains(part), "\(who.text)\(inspect.text)", sourceLocation: sourceLocation)
            #expect(json.text.contains("\"\(part)\""), "\(json.text)", sourceLocation: sourceLocation)
        }
        for figure in figures {
            #expect(json.text.contains(figure), "\(json.text)", sourceLocation: sourceLocation)
            let words = figure.split(separator: ":")
            let value = words[1] == "true" ? "yes" : words[1] == "false" ? "no" : String(words[1])
            let isThere = inspect.text.split(separator: "\n").contains {
                $0.hasPrefix(words[0].dropFirst().dropLast()) && $0.hasSuffix(" " + value)
            }
            #expect(isThere, "\(figure) in \(inspect.text)", sourceLocation: sourceLocation)
        }
        #expect(
            try !isStill || Run.read(directory.path(of: name)) == before, "looking has changed something", sourceLocation: sourceLocation)
    }

    @Test("T1 who has a lock, permits or a reader's part, and who is next, is shown with all that the object counts")
    func locksShown() async throws {
        let mutex = try SharedMutex<Int>(named: "mutex", initial: 0, options: locks)
        try await expect("mutex", content: "not taken", figures: ["\"taken\":false", "\"inconsistent\":false"], parts: [])
        let (isIn, mayGo) = (Flag(), Flag())
        let holder = try Background { _ in
            try? mutex.withLock { _ in
                isIn.raise()
                while !mayGo.isRaised { sleepThread(for: .milliseconds(1)) }
            }
        }
        try await eventually("it is held") { isIn.isRaised }
        try await expect("mutex", content: "taken", figures: ["\"taken\":true"], parts: ["has it"])
        mayGo.raise()
        try holder.end()
        let permits = try SharedPermits(named: "permits", units: 4, options: locks)
        let permit = try await permits.acquire(3)
        try await expect("permits", content: "4 units, 1 free", figures: ["\"units\":4", "\"free\":1"], parts: ["has 3 units"])
        permit.release()
        let lock = try SharedReadWriteLock<Int>(named: "rw", initial: 0, options: locks)
        try await expect("rw", content: "0 readers", figures: ["\"readers\":0", "\"written\":false"], parts: [])
        withExtendedLifetime(lock) {}
    }

    @Test("T1 what an event, a semaphore, a latch, a once, a barrier, a latest value, a notifier and a variable say of themselves is shown")
    func valuesShown() async throws {
        let event = try SharedEvent(named: "event", options: locks)
        try event.set()
        try await expect("event", content: "set", figures: ["\"set\":true"], parts: [])
        let semaphore = try SharedSemaphore(named: "semaphore", value: 5, options: locks)
        try await expect("semaphore", content: "5 units", figures: ["\"units\":5"], parts: [])
        let latch = try SharedLatch(named: "latch", count: 3, options: locks)
        try latch.countDown()
        try await expect("latch", content: "2 to come", figures: ["\"to come\":2"], parts: [])
        let once = try SharedOnce(named: "once", options: locks)
        _ = try await once.run { _ in }
        try await expect("once", content: "done", figures: ["\"done\":true"], parts: [])
        let barrier = try SharedBarrier(named: "barrier", parties: 1, options: locks)
        for _ in 0..<3 { try await barrier.wait() }
        try await expect("barrier", content: "3 phases", figures: ["\"phases\":3"], parts: [])
        let latest = try LatestValue<Point>(named: "latest", initial: Point(), options: locks)
        for _ in 0..<6 { try await latest.store(Point(x: 1, y: 2)) }
        try await expect("latest", content: "6 stored", figures: ["\"stored\":6"], parts: [])
        let notifier = try SharedNotifier(named: "notifier", ids: 12, options: locks)
        try notifier.notify(3)
        try await expect("notifier", content: "12 ids", figures: ["\"ids\":12", "\"notified\":1"], parts: [])
        let variable = try SharedVariable<Int>(named: "variable", options: locks)
        try await variable.put(7)
        try await expect("variable", content: "full", figures: ["\"full\":true", "\"put\":1"], parts: [])
        withExtendedLifetime((event, semaphore, latch, once, barrier, latest, notifier)) {}
    }

    @Test("T1 how far each subscriber is behind, who works on messages and calls, and whose turn it is, is shown")
    func messagesShown() async throws {
        let topics = TopicOptions(directory: directory.objects)
        var publisher = try Publisher<Int>(to: "topic", capacity: 16, options: topics)
        let lossless = try Subscriber<Int>(to: "topic", .lossless, options: topics)
        for number in 0..<3 { try await publisher.publish(number) }
        try await expect(
            "topic", content: "1 publishers, 1 lossless subscribers, 3 behind", figures: ["\"published\":3", "\"behind\":3"],
            parts: ["publisher", "lossless subscriber, 3 messages behind"])
        lossless.close()

        let queue = try SharedQueue<Int>(named: "shared", options: SharedQueueOptions(directory: directory.objects))
        for number in 0..<3 { try await queue.send(number) }
        let delivery = try await queue.take()
        try await expect(
            "shared", content: "2 waiting, 1 taken", figures: ["\"waiting\":2", "\"taken\":1", "\"dead letters\":0"],
            parts: ["has 1 message"])
        _ = consume delivery

        let services = ServiceOptions(directory: directory.objects)
        let server = try Server<Int, Int>("service", options: services)
        let client = try Client<Int, Int>("service", options: services)
        let caller = try Background { _ in _ = try? client.call(7) }
        let call = try await server.take(until: .after(.seconds(10)))
        try await expect(
            "service", content: "1 serving, 1 servers", figures: ["\"serving\":1", "\"waiting\":0"], parts: ["server, serves 1"],
            isStill: false)
        try call?.reply(8)
        try caller.end()

        let handoffs = HandoffOptions(directory: directory.objects)
        let other = try Background { _ in
            guard var child = try? Handoff.join("handoff", as: .child, options: handoffs) else { return }
            _ = try? child.yield(1)
        }
        var parent = try Handoff.join("handoff", as: .parent, options: handoffs, until: .after(.seconds(10)))
        _ = try await parent.yield(0, until: .after(.seconds(10)))
        try await expect("handoff", content: "", figures: [], parts: ["parent, has the turn", "child"], isStill: false)
        parent.close()
        try other.end()
    }

    @Test("T1 an object that says something impossible of itself is shown as far as it can be, and told in one line with the field")
    func damagedShown() async throws {
        let publisher = try Publisher<Int>(to: "topic", options: TopicOptions(directory: directory.objects))
        var bytes = try Run.read(directory.path(of: "topic"))
        let entries = publisher.segment.header.objectOffset
        bytes.replaceSubrange(entries..<entries + 4, with: [3, 0, 0, 0])
        let path = directory.path(of: "topic")
        publisher.close()
        try Run.write(bytes, to: path)
        let inspect = try await ipc(["inspect", "topic"])
        #expect(inspect.status == 1 && inspect.error.contains("the field 'entries' is impossible"), "\(inspect.error)")
        #expect(inspect.text.contains("topic of Int"), "\(inspect.text)")
        #expect(try await ipc(["list"]).text.contains(" ? "))
    }
}
