internal import Interprocess
import InterprocessSystem

/// What a worker and one of its children tell one another: an order one way, a milestone the other.
@safe
struct Actor: @unchecked Sendable {
    enum Milestone: UInt32 { case none, ready, sleeping, paused, ended, failed, answered }
    enum Order: UInt32 { case none, go, prepare, rouse, meanwhile, goOn, end }

    private static let textOffset = 64

    private let base: UnsafeMutableRawPointer
    private let size: Int
    private let order: SharedUInt32
    private let milestone: SharedUInt32
    private let thread: SharedUInt32
    private let otherThread: SharedUInt32

    init(base: UnsafeMutableRawPointer, size: Int) {
        unsafe self.base = base
        self.size = size
        order = unsafe SharedUInt32(at: base)
        milestone = unsafe SharedUInt32(at: base + 4)
        thread = unsafe SharedUInt32(at: base + 8)
        otherThread = unsafe SharedUInt32(at: base + 12)
    }

    // MARK: the worker's side

    /// Before the child is forked.
    func clear() {
        order.storeRelease(Order.none.rawValue)
        milestone.storeRelease(Milestone.none.rawValue)
        thread.storeRelease(0)
    }

    func give(_ new: Order) {
        milestone.storeRelease(Milestone.none.rawValue)
        order.storeRelease(new.rawValue)
        unsafe Futex.wake(order.rawAddress)
    }

    var reached: Milestone { Milestone(rawValue: milestone.loadAcquire()) ?? .none }

    /// Sleeps for a while unless the child has already come further than `seen`.
    func awaitMilestone(after seen: Milestone, for time: Duration) {
        _ = unsafe try? Futex.wait(milestone.rawAddress, while: seen.rawValue, until: .now.advanced(by: time))
    }

    /// The thread that does the child's work.
    var threadID: UInt32 { thread.loadAcquire() }

    /// The thread that is to be stepped, if it is not that one.
    var announcedThread: UInt32 { otherThread.loadAcquire() }

    /// What is wrong, if ``reached`` is `failed`.
    var text: String {
        let bytes = unsafe UnsafeRawBufferPointer(start: base + Self.textOffset, count: size - Self.textOffset).prefix { $0 != 0 }
        return unsafe String(decoding: bytes, as: UTF8.self)
    }

    // MARK: the child's side

    func begin() { thread.storeRelease(UInt32(ThreadID.current)) }

    /// That another thread is to be stepped.
    func announce(thread number: UInt32) { otherThread.storeRelease(number) }

    func reach(_ new: Milestone) {
        milestone.storeRelease(new.rawValue)
        unsafe Futex.wake(milestone.rawAddress)
    }

    func fail(_ error: any Error) {
        let text = "\(error)".utf8.prefix(size - Self.textOffset - 1)
        let target = unsafe UnsafeMutableRawBufferPointer(start: base + Self.textOffset, count: size - Self.textOffset)
        unsafe target.copyBytes(from: text)
        unsafe target[text.count] = 0
        reach(.failed)
    }

    func awaitOrder() -> Order {
        while true {
            let seen = order.loadAcquire()
            if seen != Order.none.rawValue {
                order.storeRelease(Order.none.rawValue)
                return Order(rawValue: seen) ?? .none
            }
            _ = unsafe try? Futex.wait(order.rawAddress, while: seen)
        }
    }
}
