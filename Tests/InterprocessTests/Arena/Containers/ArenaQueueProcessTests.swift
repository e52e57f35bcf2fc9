import InterprocessSystem
import QueueTestSupport
import SystemPackage
import TestSupport
import Testing

@testable import Interprocess

extension ArenaSuite {
    @Suite("queues between processes") struct QueueProcesses {
        @Test(
            "A5 L2 L3 L4 C5 a storm: four processes append, four take and wait, and are killed at any moment; what was acknowledged is taken once, in its order, but for what killed takers had in hand"
        )
        func storm() throws {
            let storm = try ArenaStorm("storm of a queue in an arena", "arena-queue-storm")
            let arena = storm.arena
            let log = try ArenaQueueLog(creatingIn: storm.scene.directory.objects)
            let queue = try ArenaQueue<ContainerValue>("q", in: arena)
            var inHand = 0
            try storm.run { place in
                if log.isTaking(place) { inHand += 1 }
                log.setTaking(place, false)
            }
            try storm.end(0..<ArenaQueueLog.appenders)
            // Who takes is asleep by and by, and no further death wakes anybody.
            for _ in 0..<ArenaQueueLog.takers { try queue.append(ArenaQueueLog.end) }
            try storm.end(ArenaQueueLog.appenders..<ArenaQueueLog.appenders + ArenaQueueLog.takers)

            var (appended, doubtful, taken, lost) = (0, 0, 0, 0)
            for slot in 0..<ArenaQueueLog.appenders {
                for number in 0..<log.next(slot) {
                    let (isAppended, isTaken) = (log.contains(.appended, slot, number), log.contains(.taken, slot, number))
                    if isAppended { appended += 1 } else if log.contains(.begun, slot, number) { doubtful += 1 }
                    if isTaken { taken += 1 } else if isAppended { lost += 1 }
                }
            }
            #expect(lost <= inHand && taken > 1000)
            try storm.settle()
            #expect(try queue.isEmpty && queue.validate() == [])
            #expect(try arena.destroy("q") && arena.content == 0)
            print(
                "storm of a queue in an arena: \(storm.kills) kills, \(appended) appended and \(doubtful) perhaps, \(taken) taken, \(lost) gone with \(inHand) takers that had perhaps one in hand"
            )
        }
    }
}
