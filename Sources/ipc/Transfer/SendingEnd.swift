import Interprocess
import InterprocessSystem
import Synchronization

/// How a run ends that cannot finish, and what it says then.
struct SendingEnd: Sendable {
    let segment: Segment
    /// Whether the queue had messages of others when this sender came: then it stays, whatever happens.
    let isForOthersToo: Bool

    private var statistics: QueueStatistics? { try? QueueInspection.validate(segment) }
    var receivedMessages: UInt64? { statistics?.received }

    /// What waits in the queue is counted with the few bytes that stand before each message: so at least so much was received.
    func progress(sent: Int) -> String {
        guard sent > 0 else { return "nothing had been sent" }
        let waiting = statistics.map { $0.waiting == 0 ? 0 : $0.waitingBytes } ?? 0
        if waiting == 0 { return "all \(byteCount(sent)) sent had been received" }
        return "at least \(byteCount(max(0, sent - waiting))) of the \(byteCount(sent)) sent had been received"
    }

    /// Ends the process without closing the queue, so that the receiver is told of a death. Takes the queue away if nobody can make use of
    /// it; a receiver
    /// that has closed it or was killed may take a moment to be gone.
    func fail(_ failure: CommandFailure) -> Never {
        if !isForOthersToo {
            let isLeaving = [TransferStatus.peerClosed, TransferStatus.peerDied].contains(failure.status)
            let patience = MonotonicInstant.now.advanced(by: .milliseconds(isLeaving ? 500 : 0))
            while !segment.removeNameIfAlone() && MonotonicInstant.now < patience { sleepThread(for: .milliseconds(1)) }
        }
        failure.end()
    }
}

/// Ends the run when the receiver dies or closes while standard input says nothing: the sender itself would find out with its next message.
final class ReceiverWatch: Sendable {
    /// What had been sent when the read began that goes on now; -1: none does.
    private let sent = Atomic<Int>(-1)
    /// How long the input must have said nothing after a close: one that ends just then, with all received, is an orderly end.
    private static let grace = (pause: Duration.milliseconds(10), pauses: 25)

    init(_ ending: SendingEnd, _ receiver: ReceiverEnd, timeout: Duration?) {
        watchDeaths(ending, timeout)
        watchCloses(ending, receiver, timeout)
    }

    private func watchCloses(_ ending: SendingEnd, _ receiver: ReceiverEnd, _ timeout: Duration?) {
        let changes = ending.segment.membershipChanges
        Task.detached { [self, weak segment = ending.segment, isForOthersToo = ending.isForOthersToo] in
            // A receiver that closes leaves the segment then, unless its process has kept that.
            for await _ in changes where receiver.hasClosed {
                var silence = 0
                while silence < Self.grace.pauses {
                    try? await Task.sleep(for: Self.grace.pause)
                    silence = sent.load(ordering: .acquiring) >= 0 ? silence + 1 : 0
                }
                guard receiver.hasClosed else { continue }
                // Only now, so that the segment ends with the sender, and with it the name.
                guard let segment else { return }
                let ending = SendingEnd(segment: segment, isForOthersToo: isForOthersToo)
                let sent = max(0, sent.load(ordering: .acquiring))
                ending.fail(SendFailure.closed.failure(ending.progress(sent: sent), timeout: timeout))
            }
        }
    }

    private func watchDeaths(_ ending: SendingEnd, _ timeout: Duration?) {
        let deaths = ending.segment.deaths
        // Weak, so that the segment ends with the sender, and with it the name.
        Task.detached { [self, weak segment = ending.segment, isForOthersToo = ending.isForOthersToo] in
            for await notice in deaths where notice.held.contains(.receiver) {
                guard let segment else { return }
                let ending = SendingEnd(segment: segment, isForOthersToo: isForOthersToo)
                while true {
                    let sent = sent.load(ordering: .acquiring)
                    if sent >= 0 { ending.fail(SendFailure.peerDied(notice).failure(ending.progress(sent: sent), timeout: timeout)) }
                    try? await Task.sleep(for: .milliseconds(1))
                }
            }
        }
    }

    func begin(sent: Int) { self.sent.store(sent, ordering: .releasing) }
    func end() { sent.store(-1, ordering: .releasing) }
}
