import CInterprocess
import Glibc
public import SystemPackage

/// A descriptor of which a caller wants to know whether it can be read from or written to.
public struct PolledDescriptor: Sendable, Equatable {
    /// What is wanted.
    public enum Interest: Sendable, Hashable {
        /// That something can be read, or the end: a read would not block.
        case reading
        /// That something can be written, or that nobody reads any more: a write would not block.
        case writing
    }

    /// What the kernel says.
    public enum State: Sendable, Hashable {
        case idle, ready
        /// The process has no descriptor of this number.
        case notOpen
    }

    public let descriptor: FileDescriptor
    public let interest: Interest
    public fileprivate(set) var state = State.idle

    public init(_ descriptor: FileDescriptor, for interest: Interest) { (self.descriptor, self.interest) = (descriptor, interest) }

    public static func == (a: Self, b: Self) -> Bool { a.descriptor == b.descriptor && a.interest == b.interest }
}

extension [PolledDescriptor] {
    /// Waits until the state of one is not idle, and notes the state of each. O(count).
    ///
    /// The corresponding C function is `poll`.
    ///
    /// - Parameter waits: false looks only, and does not wait.
    public mutating func poll(waits: Bool) throws(Errno) { try poll(until: waits ? nil : .now) }

    /// Waits until the state of one is not idle, or until `deadline`, and notes the state of each. O(count).
    ///
    /// The corresponding C function is `ppoll`.
    ///
    /// - Parameter deadline: nil waits for ever.
    public mutating func poll(until deadline: MonotonicInstant?) throws(Errno) {
        // One item for each descriptor: the kernel refuses more than the process may have descriptors.
        var items: [pollfd] = []
        var places: [CInt: Int] = [:]
        for one in self {
            let item = pollItem(one.descriptor, one.interest)
            if let place = places[item.fd] {
                items[place].events |= item.events
            } else {
                places[item.fd] = items.count
                items.append(item)
            }
        }
        while unsafe try pollOnce(&items, items.count, until: deadline) == 0 {
            if let deadline, deadline <= .now { break }
        }
        for index in indices {
            // An error or a hang-up is what the next call says, so that it does not block.
            let other = self[index].interest == .reading ? POLLOUT : POLLIN
            let found = places[self[index].descriptor.rawValue].map { items[$0].revents & ~Int16(other) } ?? 0
            self[index].state = found == 0 ? .idle : found & Int16(POLLNVAL) != 0 ? .notOpen : .ready
        }
    }
}

func pollItem(_ descriptor: FileDescriptor, _ interest: PolledDescriptor.Interest) -> pollfd {
    pollfd(fd: descriptor.rawValue, events: Int16(interest == .reading ? POLLIN : POLLOUT), revents: 0)
}

/// Waits until one of `items` is ready or until `deadline`, perhaps a little less; returns how many are.
///
/// The corresponding C function is `ppoll`.
func pollOnce(_ items: UnsafeMutablePointer<pollfd>, _ count: Int, until deadline: MonotonicInstant?) throws(Errno) -> Int {
    try systemCall("ppoll") {
        guard let deadline else { return unsafe ipc_ppoll(items, count, nil) }
        var time = MonotonicInstant(nanoseconds: deadline.nanoseconds(since: .now)).timespec
        return unsafe ipc_ppoll(items, count, &time)
    }
}
