import CBenchmarkPeers
import InterprocessSystem
import SystemPackage

/// A facility that carries messages: the library's type for it, and the same calls made from C.
struct FacilityCarrier: Sendable {
    let name: String
    let carrier: bench_carrier
    let descriptors: @Sendable (Int) throws -> SideDescriptors
    /// This process's end. The second argument: whether messages go to the near side only.
    let end: @Sendable (BenchmarkSide, Bool) throws -> any FacilityEnd
    /// Bytes of a message.
    var largest = Int.max
    /// Whether a message can be lost: then there is no stream to be measured.
    var loses = false
    /// Whether the run goes on without it: a kernel can be built without it, and a user have used up all that there are.
    var isOptional = false

    static let all = [
        FacilityCarrier(name: "pipe", carrier: BENCH_FILES, descriptors: SideDescriptors.pipes) { side, _ in PipeEnds(side) },
        FacilityCarrier(name: "fifo", carrier: BENCH_FILES, descriptors: SideDescriptors.fifos) { side, _ in PipeEnds(side) },
        FacilityCarrier(name: "unix-stream", carrier: BENCH_UNIX_STREAM, descriptors: SideDescriptors.sockets) { side, _ in
            UnixStreamEnd(side)
        },
        FacilityCarrier(name: "tcp", carrier: BENCH_UNIX_STREAM, descriptors: SideDescriptors.tcp, isOptional: true) { side, _ in
            TcpEnd(side)
        },
        FacilityCarrier(name: "pseudoterminal", carrier: BENCH_FILES, descriptors: SideDescriptors.terminal, isOptional: true) { side, _ in
            side.isNear ? PseudoterminalEnd(side) as any FacilityEnd : TerminalEnd(side)
        },
        FacilityCarrier(name: "unix-datagram", carrier: BENCH_UNIX_DATAGRAM, descriptors: SideDescriptors.datagrams, largest: 65536) {
            side, _ in UnixDatagramEnd(side)
        },
        FacilityCarrier(name: "unix-seqpacket", carrier: BENCH_UNIX_DATAGRAM, descriptors: SideDescriptors.seqpackets, largest: 65536) {
            side, _ in UnixSeqpacketEnd(side)
        },
        FacilityCarrier(
            name: "udp", carrier: BENCH_UNIX_DATAGRAM, descriptors: SideDescriptors.udp, largest: 32768, loses: true, isOptional: true
        ) { side, _ in UdpEnd(side) },
        FacilityCarrier(
            name: "posix-mq", carrier: BENCH_POSIX_QUEUE, descriptors: SideDescriptors.messageQueues, largest: 8192, isOptional: true
        ) { side, _ in try PosixQueueEnds(side) },
        FacilityCarrier(
            name: "sysv-mq", carrier: BENCH_SYSV_QUEUE, descriptors: { _ in SideDescriptors() }, largest: 8192, isOptional: true
        ) { SystemVQueueEnds($0, isOneWay: $1) },
    ]

    private init(
        name: String, carrier: bench_carrier, descriptors: @escaping @Sendable (Int) throws -> SideDescriptors, largest: Int = .max,
        loses: Bool = false, isOptional: Bool = false, end: @escaping @Sendable (BenchmarkSide, Bool) throws -> any FacilityEnd
    ) {
        (self.name, self.carrier, self.descriptors, self.end) = (name, carrier, descriptors, end)
        (self.largest, self.loses, self.isOptional) = (largest, loses, isOptional)
    }

    /// A message there and one back; both sides sleep.
    func requests() -> [Contender] {
        contenders(
            .requestBlocking,
            near: { side, end in
                var message = Message(side.size)
                try side.measureRequests { number in
                    message.number = number
                    try message.send(end)
                    return try message.receive(end, side)
                }
            },
            far: { side, end in
                var message = Message(side.size), reply = Message(side.size)
                try side.measureReplies {
                    let found = try message.receive(end, side)
                    reply.number = ~found
                    try reply.send(end)
                    return found
                }
            })
    }

    /// Message after message from the far side to the near one.
    func stream() -> [Contender] {
        contenders(
            .manyToOne,
            near: { side, end in
                var message = Message(side.size)
                try side.measureReceiving { try message.receive(end, side) }
            },
            far: { side, end in
                var message = Message(side.size)
                try side.measureSending { number in
                    message.number = number
                    try message.send(end)
                }
            })
    }

    private typealias Loop = @Sendable (BenchmarkSide, any FacilityEnd) throws -> Void

    private func contenders(_ pattern: MessagePattern, near: @escaping Loop, far: @escaping Loop) -> [Contender] {
        let (end, carrier, isOneWay) = (end, carrier, pattern == .manyToOne)
        func body(_ loop: @escaping Loop) -> Contender.Body {
            { side in
                try loop(side, try end(side, isOneWay))
                side.leave()
            }
        }
        let bare: Contender.Body = { unsafe bench_carry_messages($0.pointer, carrier, pattern.kind) }
        var ours = Contender(name: name, near: body(near), far: body(far))
        ours.bare = "\(name)-c"
        return [ours, Contender(name: "\(name)-c", near: bare, far: bare)].map { contender in
            var contender = contender
            (contender.descriptors, contender.isOptional) = (descriptors, isOptional)
            return contender
        }
    }

    /// A message of a process, to be sent or received.
    private struct Message {
        private var bytes: [UInt8]
        init(_ size: Int) { bytes = [UInt8](repeating: 1, count: size) }

        /// Its first word.
        var number: UInt64 {
            get { unsafe bytes.withUnsafeBytes { unsafe $0.loadUnaligned(as: UInt64.self) } }
            set { unsafe bytes.withUnsafeMutableBytes { unsafe $0.storeBytes(of: newValue, as: UInt64.self) } }
        }

        func send(_ end: any FacilityEnd) throws { try end.put(bytes.span) }
        mutating func receive(_ end: any FacilityEnd, _ side: BenchmarkSide) throws -> UInt64 {
            var span = bytes.mutableSpan
            try end.get(&span)
            return unsafe bytes.withUnsafeBytes { unsafe side.look(at: $0) }
        }
    }
}

/// A facility that says "go on" and carries nothing: the library's type for it, and the same calls made from C.
struct FacilitySignal: Sendable {
    let signal: Contender.Signal
    let bell: @Sendable (BenchmarkSide) throws -> any FacilityBell

    static let all = [
        FacilitySignal(signal: .eventfd) { EventCounterBell($0) },
        FacilitySignal(signal: .posixSemaphore) { try PosixSemaphoreBell($0) },
        FacilitySignal(signal: .systemVSemaphore) { try SystemVSemaphoreBell($0) },
        FacilitySignal(signal: .futex) { FutexBell($0) },
        FacilitySignal(signal: .realTimeSignal) { try SignalBell($0) },
    ]

    private init(signal: Contender.Signal, _ bell: @escaping @Sendable (BenchmarkSide) throws -> any FacilityBell) {
        (self.signal, self.bell) = (signal, bell)
    }

    func switches() -> [Contender] {
        var bare = Contender.switch(signal)
        bare.name = "\(signal.name)-c"
        let bell = bell
        var ours = Contender(
            name: signal.name, descriptors: signal.descriptors,
            near: { side in
                let bell = try bell(side)
                side.start()
                var before = bench_ticks()
                for _ in 0..<side.count {
                    try bell.wake()
                    try bell.await()
                    let now = bench_ticks()
                    side.record(now &- before)
                    before = now
                }
                side.stop()
                side.leave()
            },
            far: { side in
                let bell = try bell(side)
                side.start()
                for _ in 0..<side.count {
                    try bell.await()
                    try bell.wake()
                }
                side.stop()
                side.leave()
            })
        ours.bare = bare.name
        return [ours, bare]
    }
}
