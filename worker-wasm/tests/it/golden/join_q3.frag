; TPC-H Q3 behind its two builds: probe, aggregate and first rows in one fragment.
(fragment
  (input (column int64) (column (decimal 15 2) i64) (column (decimal 15 2) i64) (column date32))
  (params (param date32) (param (decimal 20 0) i32) (param uint64))
  (pipeline (input 0)
    (filter (gt c3 p0))
    (join inner (table (keys 0) (column int64) (column date32) (column int32)) (keys c0))
    (aggregate single (keys c3 c1 c2) (sum (mul c4 (sub p1 c5)))))
  (pipeline (groups 0) (sort (desc c3 nulls-first) (asc c1 nulls-last) (fetch p2)))
  (pipeline (sorted 1) (project c0 c3 c1 c2) (emit)))

;; the module
(module
  (type (;0;) (func (param i32 i32) (result i32)))
  (type (;1;) (func (param i64 i64 i64 i64) (result i64 i64 i32)))
  (type (;2;) (func (param i64 i64 i64 i64) (result i64 i64 i64 i64)))
  (type (;3;) (func (param i64 i64) (result f64)))
  (type (;4;) (func (param i32) (result i32)))
  (type (;5;) (func (param i32 i32 i32)))
  (type (;6;) (func (param i32 i32 i32)))
  (type (;7;) (func (param i32 i32 i32) (result i32)))
  (type (;8;) (func (param i32 i32 i32 i32) (result i32)))
  (type (;9;) (func (param i32 i32) (result i64)))
  (type (;10;) (func (param i32 i32 i32 i32) (result i32)))
  (type (;11;) (func (param i32 i32 i32 i32) (result i32)))
  (type (;12;) (func (param i32 i32 i64 i64) (result i32 i32)))
  (type (;13;) (func (param i64) (result i64 i64 i64)))
  (type (;14;) (func (param i64 i64 i64) (result i64)))
  (type (;15;) (func (param i32) (result i32)))
  (type (;16;) (func (param i32) (result i32)))
  (type (;17;) (func (result i32)))
  (type (;18;) (func (param i32) (result i32)))
  (import "murre" "memory" (memory (;0;) 1 65536))
  (import "murre" "raise" (func (;0;) (type 0)))
  (export "open" (func 15))
  (export "push_0" (func 16))
  (export "finish_0" (func 17))
  (export "pull" (func 18))
  (func (;1;) (type 1) (param i64 i64 i64 i64) (result i64 i64 i32)
    unreachable
  )
  (func (;2;) (type 2) (param i64 i64 i64 i64) (result i64 i64 i64 i64)
    unreachable
  )
  (func (;3;) (type 3) (param i64 i64) (result f64)
    unreachable
  )
  (func (;4;) (type 4) (param i32) (result i32)
    (local i32 i32)
    i32.const 0
    i32.load offset=4 align=1
    local.set 1
    local.get 1
    local.get 0
    i32.const 63
    i32.add
    i32.const -64
    i32.and
    i32.add
    local.set 2
    local.get 2
    i32.const 0
    i32.load align=1
    i32.gt_u
    if ;; label = @1
      i32.const 0
      local.get 2
      i32.store offset=8 align=1
      i32.const 0
      return
    end
    i32.const 0
    local.get 2
    i32.store offset=4 align=1
    local.get 1
    return
    unreachable
  )
  (func (;5;) (type 5) (param i32 i32 i32)
    (local i32)
    local.get 0
    local.get 1
    i32.add
    local.set 3
    local.get 0
    local.get 3
    i32.lt_u
    if ;; label = @1
      loop ;; label = @2
        local.get 2
        local.get 0
        v128.load align=1
        i32.const 7
        i8x16.shl
        i8x16.bitmask
        i32.store16 align=1
        local.get 2
        i32.const 2
        i32.add
        local.set 2
        local.get 0
        i32.const 16
        i32.add
        local.set 0
        local.get 0
        local.get 3
        i32.lt_u
        br_if 0 (;@2;)
      end
    end
  )
  (func (;6;) (type 6) (param i32 i32 i32)
    unreachable
  )
  (func (;7;) (type 7) (param i32 i32 i32) (result i32)
    unreachable
  )
  (func (;8;) (type 8) (param i32 i32 i32 i32) (result i32)
    unreachable
  )
  (func (;9;) (type 9) (param i32 i32) (result i64)
    unreachable
  )
  (func (;10;) (type 10) (param i32 i32 i32 i32) (result i32)
    unreachable
  )
  (func (;11;) (type 11) (param i32 i32 i32 i32) (result i32)
    unreachable
  )
  (func (;12;) (type 12) (param i32 i32 i64 i64) (result i32 i32)
    unreachable
  )
  (func (;13;) (type 13) (param i64) (result i64 i64 i64)
    unreachable
  )
  (func (;14;) (type 14) (param i64 i64 i64) (result i64)
    unreachable
  )
  (func (;15;) (type 15) (param i32) (result i32)
    i32.const 0
    local.get 0
    i64.load align=1
    i64.store offset=1024 align=1
    i32.const 0
    local.get 0
    i64.load offset=8 align=1
    i64.store offset=1032 align=1
    i32.const 0
    local.get 0
    i64.load offset=16 align=1
    i64.store offset=1040 align=1
    i32.const 0
    local.get 0
    i64.load offset=24 align=1
    i64.store offset=1048 align=1
    i32.const 0
    local.get 0
    i64.load offset=32 align=1
    i64.store offset=1056 align=1
    i32.const 0
    local.get 0
    i64.load offset=40 align=1
    i64.store offset=1064 align=1
    i32.const 0
    i64.const 7
    i64.store offset=632 align=1
    i32.const 0
    v128.const i32x4 0xffffffff 0xffffffff 0xffffffff 0xffffffff
    v128.store offset=1168 align=1
    i32.const 0
    v128.const i32x4 0x03020100 0xffffffff 0xffffffff 0xffffffff
    v128.store offset=1184 align=1
    i32.const 0
    v128.const i32x4 0x07060504 0xffffffff 0xffffffff 0xffffffff
    v128.store offset=1200 align=1
    i32.const 0
    v128.const i32x4 0x03020100 0x07060504 0xffffffff 0xffffffff
    v128.store offset=1216 align=1
    i32.const 0
    v128.const i32x4 0x0b0a0908 0xffffffff 0xffffffff 0xffffffff
    v128.store offset=1232 align=1
    i32.const 0
    v128.const i32x4 0x03020100 0x0b0a0908 0xffffffff 0xffffffff
    v128.store offset=1248 align=1
    i32.const 0
    v128.const i32x4 0x07060504 0x0b0a0908 0xffffffff 0xffffffff
    v128.store offset=1264 align=1
    i32.const 0
    v128.const i32x4 0x03020100 0x07060504 0x0b0a0908 0xffffffff
    v128.store offset=1280 align=1
    i32.const 0
    v128.const i32x4 0x0f0e0d0c 0xffffffff 0xffffffff 0xffffffff
    v128.store offset=1296 align=1
    i32.const 0
    v128.const i32x4 0x03020100 0x0f0e0d0c 0xffffffff 0xffffffff
    v128.store offset=1312 align=1
    i32.const 0
    v128.const i32x4 0x07060504 0x0f0e0d0c 0xffffffff 0xffffffff
    v128.store offset=1328 align=1
    i32.const 0
    v128.const i32x4 0x03020100 0x07060504 0x0f0e0d0c 0xffffffff
    v128.store offset=1344 align=1
    i32.const 0
    v128.const i32x4 0x0b0a0908 0x0f0e0d0c 0xffffffff 0xffffffff
    v128.store offset=1360 align=1
    i32.const 0
    v128.const i32x4 0x03020100 0x0b0a0908 0x0f0e0d0c 0xffffffff
    v128.store offset=1376 align=1
    i32.const 0
    v128.const i32x4 0x07060504 0x0b0a0908 0x0f0e0d0c 0xffffffff
    v128.store offset=1392 align=1
    i32.const 0
    v128.const i32x4 0x03020100 0x07060504 0x0b0a0908 0x0f0e0d0c
    v128.store offset=1408 align=1
    i32.const 0
    return
    unreachable
  )
  (func (;16;) (type 16) (param i32) (result i32)
    (local i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i64 i32 i32 i64 i64 i32 i32 i32 i32 i32 i32 i32 i32 i64 i64 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 v128 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i64 i64 i64 i32 i32 i64 i32 i32 i64 i64 i32 i64 i32 i32 i32 i32 i64 i64 i64 i32 i32 i64 i64 i32 i64 i32 i32 i64 i64 i32 i64 i32 i32 i32 i32 i64 i64 i64 i32 i32 i64 i64 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i64 i32 i64 i64 i32 i32 i64 i64 i64 i32 i32 i64 i32 i32 i32 i32 i64 i32 i32 i32 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64)
    i32.const 0
    i32.load offset=1092 align=1
    if ;; label = @1
      i32.const 0
      i32.load offset=1076 align=1
      i32.const 3
      i32.shl
      local.set 1
      i32.const 0
      i32.load offset=1096 align=1
      local.set 2
      local.get 2
      local.get 1
      i32.lt_u
      if ;; label = @2
        local.get 1
        local.get 2
        i32.sub
        local.set 3
        local.get 3
        i32.const 1048576
        local.get 3
        i32.const 1048576
        i32.lt_u
        select
        local.set 4
        i32.const 0
        i32.load offset=1072 align=1
        local.get 2
        i32.add
        i32.const 0
        local.get 4
        memory.fill
        i32.const 0
        local.get 2
        local.get 4
        i32.add
        i32.store offset=1096 align=1
        i32.const 1
        return
      end
      i32.const 0
      i32.load offset=1076 align=1
      i32.const 1
      i32.shr_u
      local.set 5
      i32.const 0
      i32.load offset=1100 align=1
      local.set 6
      local.get 5
      local.get 6
      i32.sub
      local.set 7
      local.get 6
      local.get 7
      i32.const 131072
      local.get 7
      i32.const 131072
      i32.lt_u
      select
      i32.add
      local.set 8
      i32.const 0
      i32.load offset=1104 align=1
      local.set 9
      i32.const 0
      i32.load offset=1072 align=1
      local.set 10
      i32.const 0
      i32.load offset=1076 align=1
      i32.const 1
      i32.sub
      local.set 11
      local.get 6
      local.get 8
      i32.lt_u
      if ;; label = @2
        loop ;; label = @3
          local.get 9
          local.get 6
          i32.const 3
          i32.shl
          i32.add
          i64.load align=1
          local.set 12
          local.get 12
          i64.const 0
          i64.ne
          if ;; label = @4
            local.get 12
            i64.const 32
            i64.shr_u
            i32.wrap_i64
            local.get 11
            i32.and
            local.set 13
            block ;; label = @5
              loop ;; label = @6
                local.get 10
                local.get 13
                i32.const 3
                i32.shl
                i32.add
                i64.load align=1
                i64.eqz
                br_if 1 (;@5;)
                local.get 13
                i32.const 1
                i32.add
                local.get 11
                i32.and
                local.set 13
                br 0 (;@6;)
              end
            end
            local.get 10
            local.get 13
            i32.const 3
            i32.shl
            i32.add
            local.get 12
            i64.store align=1
          end
          local.get 6
          i32.const 1
          i32.add
          local.set 6
          local.get 6
          local.get 8
          i32.lt_u
          br_if 0 (;@3;)
        end
      end
      i32.const 0
      local.get 8
      i32.store offset=1100 align=1
      local.get 8
      local.get 5
      i32.lt_u
      if ;; label = @2
        i32.const 1
        return
      end
      i32.const 0
      i32.const 0
      i32.store offset=1092 align=1
    end
    i32.const 0
    i32.load offset=1024 align=1
    local.set 14
    i32.const 0
    i64.load32_s offset=1040 align=1
    local.set 15
    i32.const 0
    i64.load offset=1056 align=1
    local.set 16
    i32.const 1024
    local.set 17
    local.get 17
    i32.const 0
    i32.load offset=1504 align=1
    i32.gt_u
    if ;; label = @1
      local.get 17
      i32.const 63
      i32.add
      i32.const -64
      i32.and
      local.set 18
      local.get 18
      i32.const 12
      i32.mul
      call 4
      local.set 19
      local.get 19
      i32.eqz
      if ;; label = @2
        i32.const 2
        return
      end
      i32.const 0
      local.get 19
      i32.store offset=1508 align=1
      i32.const 0
      local.get 18
      i32.store offset=1504 align=1
    end
    i32.const 0
    i32.load offset=96 align=1
    local.set 20
    local.get 20
    local.get 20
    i32.load offset=4 align=1
    i32.add
    local.set 21
    local.get 20
    i32.load offset=8 align=1
    local.set 22
    local.get 20
    local.get 20
    i32.load offset=12 align=1
    i32.add
    local.set 23
    local.get 20
    i32.load offset=16 align=1
    local.set 24
    local.get 20
    i64.load offset=32 align=1
    local.set 25
    local.get 20
    i64.load offset=24 align=1
    local.set 26
    i32.const 0
    i32.load offset=1456 align=1
    local.set 27
    i32.const 0
    i32.load offset=1460 align=1
    local.set 28
    i32.const 0
    i32.load offset=1464 align=1
    local.set 29
    i32.const 0
    local.set 30
    i32.const 0
    i32.load offset=1480 align=1
    local.set 31
    i32.const 8
    local.set 32
    local.get 0
    i32.const 0
    i32.load offset=1424 align=1
    i32.gt_u
    if ;; label = @1
      local.get 0
      i32.const 63
      i32.add
      i32.const -64
      i32.and
      local.set 33
      local.get 33
      i32.const 4
      i32.mul
      call 4
      local.set 34
      local.get 34
      i32.eqz
      if ;; label = @2
        i32.const 2
        return
      end
      i32.const 0
      local.get 34
      i32.store offset=1428 align=1
      i32.const 0
      local.get 33
      i32.store offset=1424 align=1
    end
    i32.const 0
    i32.load offset=1428 align=1
    i32.const 0
    i32.load offset=1424 align=1
    i32.const 0
    i32.mul
    i32.add
    local.set 35
    i32.const 0
    local.set 36
    i32.const 0
    i32.load offset=1152 align=1
    i32.eqz
    if ;; label = @1
      i32.const 0
      i32.load offset=64 align=1
      local.set 37
      local.get 37
      i32.load align=1
      local.set 38
      local.get 37
      i32.load offset=32 align=1
      local.set 39
      local.get 37
      i32.load offset=64 align=1
      local.set 40
      local.get 37
      i32.load offset=96 align=1
      local.set 41
      i32.const 0
      i32.load offset=628 align=1
      i32.const -1
      i32.eq
      local.set 43
      i32.const 0
      i32.const 0
      i32.load offset=628 align=1
      local.get 43
      select
      local.set 44
      i32.const 0
      i32.load offset=1440 align=1
      i32.const 0
      local.get 44
      select
      local.set 36
      local.get 44
      i32.const 0
      i32.eq
      if ;; label = @2
        local.get 14
        i32x4.splat
        local.set 45
        i32.const 0
        local.set 42
        i32.const 0
        local.set 36
        block ;; label = @3
          loop ;; label = @4
            local.get 0
            local.get 42
            i32.le_u
            br_if 1 (;@3;)
            local.get 41
            local.get 42
            i32.const 4
            i32.mul
            i32.add
            v128.load align=1
            local.get 45
            i32x4.gt_s
            local.get 41
            local.get 42
            i32.const 4
            i32.mul
            i32.add
            v128.load offset=16 align=1
            local.get 45
            i32x4.gt_s
            i16x8.narrow_i32x4_s
            local.get 41
            local.get 42
            i32.const 4
            i32.mul
            i32.add
            v128.load offset=32 align=1
            local.get 45
            i32x4.gt_s
            local.get 41
            local.get 42
            i32.const 4
            i32.mul
            i32.add
            v128.load offset=48 align=1
            local.get 45
            i32x4.gt_s
            i16x8.narrow_i32x4_s
            i8x16.narrow_i16x8_s
            i8x16.bitmask
            local.set 46
            local.get 0
            local.get 42
            i32.sub
            local.set 47
            local.get 46
            i32.const 1
            local.get 47
            i32.shl
            i32.const 1
            i32.sub
            i32.const 65535
            local.get 47
            i32.const 16
            i32.lt_u
            select
            i32.and
            local.set 46
            local.get 46
            if ;; label = @5
              local.get 35
              local.get 36
              i32.const 2
              i32.shl
              i32.add
              local.set 48
              local.get 46
              i32.const 0
              i32.shr_u
              i32.const 15
              i32.and
              local.set 49
              local.get 48
              local.get 42
              i32x4.splat
              v128.const i32x4 0x00000000 0x00000001 0x00000002 0x00000003
              i32x4.add
              local.get 49
              i32.const 4
              i32.shl
              v128.load offset=1168 align=1
              i8x16.swizzle
              v128.store align=1
              local.get 48
              local.get 49
              i32.popcnt
              i32.const 2
              i32.shl
              i32.add
              local.set 48
              local.get 46
              i32.const 4
              i32.shr_u
              i32.const 15
              i32.and
              local.set 50
              local.get 48
              local.get 42
              i32x4.splat
              v128.const i32x4 0x00000004 0x00000005 0x00000006 0x00000007
              i32x4.add
              local.get 50
              i32.const 4
              i32.shl
              v128.load offset=1168 align=1
              i8x16.swizzle
              v128.store align=1
              local.get 48
              local.get 50
              i32.popcnt
              i32.const 2
              i32.shl
              i32.add
              local.set 48
              local.get 46
              i32.const 8
              i32.shr_u
              i32.const 15
              i32.and
              local.set 51
              local.get 48
              local.get 42
              i32x4.splat
              v128.const i32x4 0x00000008 0x00000009 0x0000000a 0x0000000b
              i32x4.add
              local.get 51
              i32.const 4
              i32.shl
              v128.load offset=1168 align=1
              i8x16.swizzle
              v128.store align=1
              local.get 48
              local.get 51
              i32.popcnt
              i32.const 2
              i32.shl
              i32.add
              local.set 48
              local.get 46
              i32.const 12
              i32.shr_u
              i32.const 15
              i32.and
              local.set 52
              local.get 48
              local.get 42
              i32x4.splat
              v128.const i32x4 0x0000000c 0x0000000d 0x0000000e 0x0000000f
              i32x4.add
              local.get 52
              i32.const 4
              i32.shl
              v128.load offset=1168 align=1
              i8x16.swizzle
              v128.store align=1
              local.get 48
              local.get 52
              i32.popcnt
              i32.const 2
              i32.shl
              i32.add
              local.set 48
              local.get 48
              local.get 35
              i32.sub
              i32.const 2
              i32.shr_u
              local.set 36
            end
            local.get 42
            i32.const 16
            i32.add
            local.set 42
            br 0 (;@4;)
          end
        end
        i32.const 0
        local.get 36
        i32.store offset=1440 align=1
        i32.const 1
        local.set 44
        local.get 36
        i32.const 0
        i32.gt_u
        local.get 43
        i32.eqz
        i32.and
        if ;; label = @3
          i32.const 0
          i64.const 1
          i64.store offset=608 align=1
          i32.const 0
          local.get 35
          i32.store offset=616 align=1
          i32.const 0
          i32.const 4
          i32.store offset=620 align=1
          i32.const 0
          local.get 36
          i32.store offset=624 align=1
          i32.const 4
          return
        end
      end
    end
    i32.const 0
    i32.load offset=1156 align=1
    local.get 36
    i32.const 0
    i32.load offset=1152 align=1
    select
    local.set 53
    i32.const 0
    i32.load offset=1152 align=1
    local.set 54
    i32.const 0
    i32.load offset=64 align=1
    local.set 55
    local.get 55
    i32.load align=1
    local.set 56
    local.get 55
    i32.load offset=32 align=1
    local.set 57
    local.get 55
    i32.load offset=64 align=1
    local.set 58
    local.get 55
    i32.load offset=96 align=1
    local.set 59
    i32.const 0
    i32.load offset=1508 align=1
    i32.const 0
    i32.load offset=1504 align=1
    i32.const 0
    i32.mul
    i32.add
    local.set 61
    i32.const 0
    i32.load offset=1472 align=1
    local.set 62
    i32.const 0
    i32.load offset=1476 align=1
    local.set 63
    block ;; label = @1
      loop ;; label = @2
        local.get 62
        local.get 63
        i32.le_u
        if ;; label = @3
          local.get 53
          local.get 54
          i32.le_u
          br_if 2 (;@1;)
          local.get 53
          local.get 54
          i32.sub
          local.set 64
          local.get 54
          local.get 64
          i32.const 1024
          local.get 64
          i32.const 1024
          i32.lt_u
          select
          i32.add
          local.set 65
          local.get 54
          local.set 66
          local.get 61
          local.set 67
          local.get 26
          i64.const 0
          i64.ne
          if ;; label = @4
            local.get 66
            local.get 65
            i32.lt_u
            if ;; label = @5
              loop ;; label = @6
                local.get 35
                local.get 66
                i32.const 2
                i32.shl
                i32.add
                i32.load align=1
                local.set 60
                local.get 56
                local.get 60
                i32.const 8
                i32.mul
                i32.add
                i64.load align=1
                local.set 68
                local.get 68
                local.set 69
                local.get 69
                local.get 25
                i64.sub
                local.set 70
                local.get 70
                local.get 26
                local.get 70
                local.get 26
                i64.lt_u
                select
                local.set 70
                local.get 20
                local.get 70
                i64.const 6
                i64.shr_u
                i32.wrap_i64
                i32.const 16
                i32.mul
                i32.add
                local.set 71
                local.get 67
                local.get 60
                i32.store align=1
                local.get 67
                local.get 71
                i64.load offset=64 align=1
                local.get 70
                i64.shr_u
                i32.wrap_i64
                i32.const 1
                i32.and
                i32.const 12
                i32.mul
                i32.add
                local.set 67
                local.get 66
                i32.const 1
                i32.add
                local.set 66
                local.get 66
                local.get 65
                i32.lt_u
                br_if 0 (;@6;)
              end
            end
            local.get 61
            local.set 72
            local.get 72
            local.get 67
            i32.lt_u
            if ;; label = @5
              loop ;; label = @6
                local.get 72
                i32.load align=1
                local.set 60
                local.get 56
                local.get 60
                i32.const 8
                i32.mul
                i32.add
                i64.load align=1
                local.set 73
                local.get 26
                i64.const 0
                i64.ne
                if ;; label = @7
                  local.get 73
                  local.set 76
                  local.get 76
                  local.get 25
                  i64.sub
                  local.set 77
                  local.get 77
                  local.get 26
                  local.get 77
                  local.get 26
                  i64.lt_u
                  select
                  local.set 77
                  local.get 20
                  local.get 77
                  i64.const 6
                  i64.shr_u
                  i32.wrap_i64
                  i32.const 16
                  i32.mul
                  i32.add
                  local.set 78
                  local.get 78
                  i64.load offset=64 align=1
                  local.get 77
                  i64.const -1
                  i64.xor
                  i64.shl
                  local.set 79
                  local.get 78
                  i32.load offset=72 align=1
                  local.get 79
                  i64.popcnt
                  i32.wrap_i64
                  i32.add
                  i32.const 1
                  i32.sub
                  local.set 80
                  local.get 79
                  i64.const 0
                  i64.lt_s
                  local.set 81
                  local.get 24
                  if ;; label = @8
                    local.get 23
                    local.get 80
                    i32.const 3
                    i32.shl
                    i32.add
                    local.set 82
                    local.get 82
                    i32.load align=1
                    local.set 74
                    local.get 82
                    i32.load offset=8 align=1
                    local.set 83
                    local.get 20
                    local.get 83
                    local.get 74
                    local.get 81
                    select
                    i32.add
                    local.set 75
                    local.get 20
                    local.get 74
                    i32.add
                    local.set 74
                  else
                    local.get 21
                    local.get 80
                    i32.const 24
                    i32.mul
                    i32.add
                    local.set 74
                    local.get 74
                    i32.const 24
                    i32.add
                    local.get 74
                    local.get 81
                    select
                    local.set 75
                  end
                else
                  i64.const 2685821657736338717
                  local.set 84
                  local.get 84
                  local.get 73
                  i64.xor
                  i64.const -7046029254386353131
                  i64.mul_wide_u
                  local.set 86
                  local.set 85
                  local.get 85
                  local.get 86
                  i64.xor
                  local.set 84
                  local.get 84
                  i32.wrap_i64
                  local.set 87
                  local.get 23
                  local.get 87
                  local.get 22
                  i32.shr_u
                  i32.const 3
                  i32.shl
                  i32.add
                  local.set 88
                  local.get 88
                  i64.load offset=8 align=1
                  local.set 89
                  i64.const 1
                  local.get 87
                  i32.const 0
                  i32.shr_u
                  i32.const 15
                  i32.and
                  i64.extend_i32_u
                  i64.shl
                  i64.const 1
                  local.get 87
                  i32.const 4
                  i32.shr_u
                  i32.const 15
                  i32.and
                  i64.extend_i32_u
                  i64.shl
                  i64.or
                  i64.const 32
                  i64.shl
                  local.set 90
                  local.get 88
                  i32.load align=1
                  local.set 74
                  local.get 88
                  i32.load offset=8 align=1
                  local.set 91
                  local.get 20
                  local.get 91
                  local.get 74
                  local.get 89
                  local.get 90
                  i64.and
                  local.get 90
                  i64.eq
                  select
                  i32.add
                  local.set 75
                  local.get 20
                  local.get 74
                  i32.add
                  local.set 74
                end
                local.get 72
                local.get 74
                i32.store offset=4 align=1
                local.get 72
                local.get 75
                i32.store offset=8 align=1
                local.get 72
                i32.const 12
                i32.add
                local.set 72
                local.get 72
                local.get 67
                i32.lt_u
                br_if 0 (;@6;)
              end
            end
          else
            local.get 66
            local.get 65
            i32.lt_u
            if ;; label = @5
              loop ;; label = @6
                local.get 35
                local.get 66
                i32.const 2
                i32.shl
                i32.add
                i32.load align=1
                local.set 60
                local.get 56
                local.get 60
                i32.const 8
                i32.mul
                i32.add
                i64.load align=1
                local.set 92
                local.get 26
                i64.const 0
                i64.ne
                if ;; label = @7
                  local.get 92
                  local.set 95
                  local.get 95
                  local.get 25
                  i64.sub
                  local.set 96
                  local.get 96
                  local.get 26
                  local.get 96
                  local.get 26
                  i64.lt_u
                  select
                  local.set 96
                  local.get 20
                  local.get 96
                  i64.const 6
                  i64.shr_u
                  i32.wrap_i64
                  i32.const 16
                  i32.mul
                  i32.add
                  local.set 97
                  local.get 97
                  i64.load offset=64 align=1
                  local.get 96
                  i64.const -1
                  i64.xor
                  i64.shl
                  local.set 98
                  local.get 97
                  i32.load offset=72 align=1
                  local.get 98
                  i64.popcnt
                  i32.wrap_i64
                  i32.add
                  i32.const 1
                  i32.sub
                  local.set 99
                  local.get 98
                  i64.const 0
                  i64.lt_s
                  local.set 100
                  local.get 24
                  if ;; label = @8
                    local.get 23
                    local.get 99
                    i32.const 3
                    i32.shl
                    i32.add
                    local.set 101
                    local.get 101
                    i32.load align=1
                    local.set 93
                    local.get 101
                    i32.load offset=8 align=1
                    local.set 102
                    local.get 20
                    local.get 102
                    local.get 93
                    local.get 100
                    select
                    i32.add
                    local.set 94
                    local.get 20
                    local.get 93
                    i32.add
                    local.set 93
                  else
                    local.get 21
                    local.get 99
                    i32.const 24
                    i32.mul
                    i32.add
                    local.set 93
                    local.get 93
                    i32.const 24
                    i32.add
                    local.get 93
                    local.get 100
                    select
                    local.set 94
                  end
                else
                  i64.const 2685821657736338717
                  local.set 103
                  local.get 103
                  local.get 92
                  i64.xor
                  i64.const -7046029254386353131
                  i64.mul_wide_u
                  local.set 105
                  local.set 104
                  local.get 104
                  local.get 105
                  i64.xor
                  local.set 103
                  local.get 103
                  i32.wrap_i64
                  local.set 106
                  local.get 23
                  local.get 106
                  local.get 22
                  i32.shr_u
                  i32.const 3
                  i32.shl
                  i32.add
                  local.set 107
                  local.get 107
                  i64.load offset=8 align=1
                  local.set 108
                  i64.const 1
                  local.get 106
                  i32.const 0
                  i32.shr_u
                  i32.const 15
                  i32.and
                  i64.extend_i32_u
                  i64.shl
                  i64.const 1
                  local.get 106
                  i32.const 4
                  i32.shr_u
                  i32.const 15
                  i32.and
                  i64.extend_i32_u
                  i64.shl
                  i64.or
                  i64.const 32
                  i64.shl
                  local.set 109
                  local.get 107
                  i32.load align=1
                  local.set 93
                  local.get 107
                  i32.load offset=8 align=1
                  local.set 110
                  local.get 20
                  local.get 110
                  local.get 93
                  local.get 108
                  local.get 109
                  i64.and
                  local.get 109
                  i64.eq
                  select
                  i32.add
                  local.set 94
                  local.get 20
                  local.get 93
                  i32.add
                  local.set 93
                end
                local.get 67
                local.get 60
                i32.store align=1
                local.get 67
                local.get 93
                i32.store offset=4 align=1
                local.get 67
                local.get 94
                i32.store offset=8 align=1
                local.get 67
                local.get 93
                local.get 94
                i32.lt_u
                i32.const 12
                i32.mul
                i32.add
                local.set 67
                local.get 66
                i32.const 1
                i32.add
                local.set 66
                local.get 66
                local.get 65
                i32.lt_u
                br_if 0 (;@6;)
              end
            end
          end
          local.get 66
          local.set 54
          local.get 67
          local.get 61
          i32.sub
          i32.const 12
          i32.div_u
          local.set 62
          i32.const 0
          local.set 63
          i32.const 0
          i32.const 0
          i32.store offset=1496 align=1
        end
        i32.const 0
        local.get 54
        i32.store offset=1152 align=1
        i32.const 0
        local.get 53
        i32.store offset=1156 align=1
        i32.const 0
        local.get 62
        i32.store offset=1472 align=1
        i32.const 0
        local.get 63
        i32.store offset=1476 align=1
        i32.const 0
        i32.load offset=1496 align=1
        i32.eqz
        i32.const 0
        i32.load offset=628 align=1
        i32.const -1
        i32.eq
        i32.eqz
        i32.and
        local.get 62
        i32.const 0
        i32.gt_u
        i32.and
        if ;; label = @3
          i32.const 0
          local.get 31
          i32.store offset=1480 align=1
          i32.const 0
          local.get 27
          i32.store offset=1456 align=1
          i32.const 0
          local.get 28
          i32.store offset=1460 align=1
          i32.const 0
          local.get 29
          i32.store offset=1464 align=1
          i32.const 0
          i32.const 1
          i32.store offset=1496 align=1
          i32.const 0
          i64.const 6
          i64.store offset=608 align=1
          i32.const 0
          local.get 61
          i32.store offset=616 align=1
          i32.const 0
          i32.const 12
          i32.store offset=620 align=1
          i32.const 0
          local.get 62
          i32.store offset=624 align=1
          i32.const 4
          return
        end
        i32.const 0
        local.get 31
        i32.store offset=1480 align=1
        i32.const 0
        local.get 27
        i32.store offset=1456 align=1
        i32.const 0
        local.get 28
        i32.store offset=1460 align=1
        i32.const 0
        local.get 29
        i32.store offset=1464 align=1
        local.get 32
        i32.eqz
        if ;; label = @3
          i32.const 1
          return
        end
        i32.const 0
        i32.load offset=1084 align=1
        i32.eqz
        if ;; label = @3
          i32.const 262144
          call 4
          local.set 111
          local.get 111
          i32.eqz
          if ;; label = @4
            i32.const 2
            return
          end
          i32.const 0
          local.get 111
          i32.store offset=1084 align=1
        end
        i32.const 0
        i32.load offset=1080 align=1
        i32.const 1024
        i32.add
        local.set 112
        i32.const 0
        i32.load offset=1088 align=1
        local.get 112
        i32.lt_u
        if ;; label = @3
          i32.const 40960
          call 4
          local.set 113
          local.get 113
          i32.eqz
          if ;; label = @4
            i32.const 2
            return
          end
          i32.const 0
          i32.load offset=1084 align=1
          i32.const 0
          i32.load offset=1088 align=1
          i32.const 10
          i32.shr_u
          i32.const 2
          i32.shl
          i32.add
          local.get 113
          i32.store align=1
          i32.const 0
          i32.const 0
          i32.load offset=1088 align=1
          i32.const 1024
          i32.add
          i32.store offset=1088 align=1
        end
        i32.const 0
        i32.load offset=1076 align=1
        local.get 112
        i32.const 1
        i32.shl
        i32.lt_u
        if ;; label = @3
          i32.const 0
          i32.load offset=1076 align=1
          i32.const 1
          i32.shl
          local.set 114
          local.get 114
          i32.const 4096
          local.get 114
          select
          local.set 115
          local.get 115
          i32.const 3
          i32.shl
          call 4
          local.set 116
          local.get 116
          i32.eqz
          if ;; label = @4
            i32.const 2
            return
          end
          i32.const 0
          local.get 115
          i32.const 1
          i32.shr_u
          i32.const 0
          i32.const 0
          i32.load offset=1076 align=1
          i32.eqz
          select
          i32.store offset=1100 align=1
          i32.const 0
          i32.const 0
          i32.load offset=1072 align=1
          i32.store offset=1104 align=1
          i32.const 0
          local.get 116
          i32.store offset=1072 align=1
          i32.const 0
          local.get 115
          i32.store offset=1076 align=1
          i32.const 0
          i32.const 0
          i32.store offset=1096 align=1
          i32.const 0
          i32.const 1
          i32.store offset=1092 align=1
          i32.const 1
          return
        end
        i32.const 0
        i32.load offset=1072 align=1
        local.set 117
        i32.const 0
        i32.load offset=1076 align=1
        i32.const 1
        i32.sub
        local.set 118
        i32.const 1024
        local.set 30
        local.get 32
        i32.const 1
        i32.sub
        local.set 32
        block ;; label = @3
          loop ;; label = @4
            local.get 62
            local.get 63
            i32.le_u
            br_if 1 (;@3;)
            local.get 61
            local.get 63
            i32.const 12
            i32.mul
            i32.add
            local.set 119
            local.get 31
            i32.eqz
            if ;; label = @5
              local.get 30
              i32.const 0
              i32.le_s
              br_if 2 (;@3;)
              local.get 119
              i32.load offset=4 align=1
              local.set 27
              local.get 119
              i32.load offset=8 align=1
              local.set 28
              i32.const 0
              local.set 29
            end
            local.get 119
            i32.load align=1
            local.set 60
            local.get 56
            local.get 60
            i32.const 8
            i32.mul
            i32.add
            i64.load align=1
            local.set 120
            block ;; label = @5
              loop ;; label = @6
                local.get 28
                local.get 27
                i32.le_u
                br_if 1 (;@5;)
                local.get 31
                i32.const 1
                i32.eq
                if ;; label = @7
                  i32.const 0
                  local.set 31
                end
                local.get 31
                i32.eqz
                if ;; label = @7
                  local.get 30
                  i32.const 0
                  i32.le_s
                  if ;; label = @8
                    i32.const 1
                    local.set 31
                    br 5 (;@3;)
                  end
                  local.get 30
                  i32.const 1
                  i32.sub
                  local.set 30
                end
                i32.const 1
                local.set 121
                local.get 26
                i64.const 0
                i64.ne
                i32.eqz
                if ;; label = @7
                  local.get 27
                  i64.load offset=16 align=1
                  local.set 122
                  local.get 121
                  local.get 122
                  local.get 120
                  i64.eq
                  i32.and
                  local.set 121
                end
                local.get 121
                if ;; label = @7
                  local.get 56
                  local.get 60
                  i32.const 8
                  i32.mul
                  i32.add
                  i64.load align=1
                  local.set 123
                  local.get 27
                  i32.load offset=4 align=1
                  local.set 124
                  local.get 27
                  i32.load offset=8 align=1
                  local.set 125
                  i64.const 2685821657736338717
                  local.set 126
                  local.get 126
                  local.get 123
                  i64.xor
                  i64.const -7046029254386353131
                  i64.mul_wide_u
                  local.set 128
                  local.set 127
                  local.get 127
                  local.get 128
                  i64.xor
                  local.set 126
                  local.get 126
                  local.get 124
                  i64.extend_i32_u
                  i64.xor
                  i64.const -7046029254386353131
                  i64.mul_wide_u
                  local.set 128
                  local.set 127
                  local.get 127
                  local.get 128
                  i64.xor
                  local.set 126
                  local.get 126
                  local.get 125
                  i64.extend_i32_u
                  i64.xor
                  i64.const -7046029254386353131
                  i64.mul_wide_u
                  local.set 128
                  local.set 127
                  local.get 127
                  local.get 128
                  i64.xor
                  local.set 126
                  local.get 126
                  i32.wrap_i64
                  local.set 129
                  local.get 129
                  local.get 118
                  i32.and
                  local.set 132
                  block ;; label = @8
                    loop ;; label = @9
                      local.get 117
                      local.get 132
                      i32.const 3
                      i32.shl
                      i32.add
                      i64.load align=1
                      local.set 131
                      local.get 131
                      i64.eqz
                      if ;; label = @10
                        i32.const 0
                        i32.load offset=1080 align=1
                        local.set 133
                        i32.const 0
                        i32.load offset=1084 align=1
                        local.get 133
                        i32.const 10
                        i32.shr_u
                        i32.const 2
                        i32.shl
                        i32.add
                        i32.load align=1
                        local.get 133
                        i32.const 1023
                        i32.and
                        i32.const 40
                        i32.mul
                        i32.add
                        local.set 134
                        local.get 134
                        local.set 130
                        local.get 130
                        local.get 123
                        i64.store align=1
                        local.get 130
                        local.get 124
                        i32.store offset=8 align=1
                        local.get 130
                        local.get 125
                        i32.store offset=16 align=1
                        local.get 130
                        i64.const 0
                        i64.store offset=24 align=1
                        local.get 130
                        i64.const 0
                        i64.store offset=32 align=1
                        local.get 117
                        local.get 132
                        i32.const 3
                        i32.shl
                        i32.add
                        local.get 129
                        i64.extend_i32_u
                        i64.const 32
                        i64.shl
                        local.get 130
                        i64.extend_i32_u
                        i64.or
                        i64.store align=1
                        i32.const 0
                        local.get 133
                        i32.const 1
                        i32.add
                        i32.store offset=1080 align=1
                        br 2 (;@8;)
                      end
                      local.get 131
                      i64.const 32
                      i64.shr_u
                      i32.wrap_i64
                      local.get 129
                      i32.eq
                      if ;; label = @10
                        local.get 131
                        i32.wrap_i64
                        local.set 130
                        i32.const 1
                        local.set 135
                        local.get 130
                        i64.load align=1
                        local.set 136
                        local.get 135
                        local.get 136
                        local.get 123
                        i64.eq
                        i32.and
                        local.set 135
                        local.get 130
                        i32.load offset=8 align=1
                        local.set 137
                        local.get 135
                        local.get 137
                        local.get 124
                        i32.eq
                        i32.and
                        local.set 135
                        local.get 130
                        i32.load offset=16 align=1
                        local.set 138
                        local.get 135
                        local.get 138
                        local.get 125
                        i32.eq
                        i32.and
                        local.set 135
                        local.get 135
                        br_if 2 (;@8;)
                      end
                      local.get 132
                      i32.const 1
                      i32.add
                      local.get 118
                      i32.and
                      local.set 132
                      br 0 (;@9;)
                    end
                  end
                  local.get 130
                  i32.const 24
                  i32.add
                  local.set 139
                  local.get 57
                  local.get 60
                  i32.const 8
                  i32.mul
                  i32.add
                  i64.load align=1
                  local.set 140
                  local.get 58
                  local.get 60
                  i32.const 8
                  i32.mul
                  i32.add
                  i64.load align=1
                  local.set 141
                  i64.const 100
                  local.set 142
                  local.get 15
                  local.get 142
                  i64.mul
                  local.set 143
                  local.get 143
                  local.get 143
                  i64.const 63
                  i64.shr_s
                  local.set 145
                  local.set 144
                  local.get 141
                  local.get 141
                  i64.const 63
                  i64.shr_s
                  local.set 147
                  local.set 146
                  local.get 144
                  local.get 145
                  local.get 146
                  local.get 147
                  i64.sub128
                  local.set 149
                  local.set 148
                  local.get 140
                  local.get 140
                  i64.const 63
                  i64.shr_s
                  local.set 151
                  local.set 150
                  local.get 150
                  local.get 148
                  i64.mul_wide_u
                  local.set 155
                  local.set 154
                  local.get 154
                  local.get 155
                  local.get 151
                  local.get 148
                  i64.mul
                  i64.add
                  local.get 150
                  local.get 149
                  i64.mul
                  i64.add
                  local.set 153
                  local.set 152
                  local.get 139
                  i64.load align=1
                  local.get 139
                  i64.load offset=8 align=1
                  local.set 157
                  local.set 156
                  local.get 156
                  local.get 157
                  local.get 152
                  local.get 153
                  i64.add128
                  local.set 159
                  local.set 158
                  local.get 139
                  local.get 158
                  i64.store align=1
                  local.get 139
                  local.get 159
                  i64.store offset=8 align=1
                end
                local.get 27
                i32.const 24
                i32.add
                local.set 27
                br 0 (;@6;)
              end
            end
            local.get 63
            i32.const 1
            i32.add
            local.set 63
            br 0 (;@4;)
          end
        end
        br 0 (;@2;)
      end
    end
    i32.const 0
    i32.const 0
    i32.store offset=1152 align=1
    i32.const 0
    i32.const 0
    i32.store offset=1472 align=1
    i32.const 0
    i32.const 0
    i32.store offset=1476 align=1
    i32.const 0
    i32.const 0
    i32.store offset=1480 align=1
    i32.const 0
    i32.const 0
    i32.store offset=1484 align=1
    i32.const 0
    i32.const 0
    i64.load offset=32 align=1
    local.get 0
    i64.extend_i32_u
    i64.add
    i64.store offset=32 align=1
    i32.const 0
    return
    unreachable
  )
  (func (;17;) (type 17) (result i32)
    (local i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i64 i32 i32 i64 i64 i32 i32 i32 i32 i32 i64 i64 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i64 i64 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i64 i32 i32 i32 i64 i64 i32 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)
    i32.const 0
    i32.load offset=2384 align=1
    i32.const 0
    i32.eq
    if ;; label = @1
      i32.const 0
      i32.const 1
      i32.store offset=1488 align=1
      i32.const 0
      i32.load offset=1092 align=1
      if ;; label = @2
        i32.const 0
        i32.load offset=1076 align=1
        i32.const 3
        i32.shl
        local.set 0
        i32.const 0
        i32.load offset=1096 align=1
        local.set 1
        local.get 1
        local.get 0
        i32.lt_u
        if ;; label = @3
          local.get 0
          local.get 1
          i32.sub
          local.set 2
          local.get 2
          i32.const 1048576
          local.get 2
          i32.const 1048576
          i32.lt_u
          select
          local.set 3
          i32.const 0
          i32.load offset=1072 align=1
          local.get 1
          i32.add
          i32.const 0
          local.get 3
          memory.fill
          i32.const 0
          local.get 1
          local.get 3
          i32.add
          i32.store offset=1096 align=1
          i32.const 1
          return
        end
        i32.const 0
        i32.load offset=1076 align=1
        i32.const 1
        i32.shr_u
        local.set 4
        i32.const 0
        i32.load offset=1100 align=1
        local.set 5
        local.get 4
        local.get 5
        i32.sub
        local.set 6
        local.get 5
        local.get 6
        i32.const 131072
        local.get 6
        i32.const 131072
        i32.lt_u
        select
        i32.add
        local.set 7
        i32.const 0
        i32.load offset=1104 align=1
        local.set 8
        i32.const 0
        i32.load offset=1072 align=1
        local.set 9
        i32.const 0
        i32.load offset=1076 align=1
        i32.const 1
        i32.sub
        local.set 10
        local.get 5
        local.get 7
        i32.lt_u
        if ;; label = @3
          loop ;; label = @4
            local.get 8
            local.get 5
            i32.const 3
            i32.shl
            i32.add
            i64.load align=1
            local.set 11
            local.get 11
            i64.const 0
            i64.ne
            if ;; label = @5
              local.get 11
              i64.const 32
              i64.shr_u
              i32.wrap_i64
              local.get 10
              i32.and
              local.set 12
              block ;; label = @6
                loop ;; label = @7
                  local.get 9
                  local.get 12
                  i32.const 3
                  i32.shl
                  i32.add
                  i64.load align=1
                  i64.eqz
                  br_if 1 (;@6;)
                  local.get 12
                  i32.const 1
                  i32.add
                  local.get 10
                  i32.and
                  local.set 12
                  br 0 (;@7;)
                end
              end
              local.get 9
              local.get 12
              i32.const 3
              i32.shl
              i32.add
              local.get 11
              i64.store align=1
            end
            local.get 5
            i32.const 1
            i32.add
            local.set 5
            local.get 5
            local.get 7
            i32.lt_u
            br_if 0 (;@4;)
          end
        end
        i32.const 0
        local.get 7
        i32.store offset=1100 align=1
        local.get 7
        local.get 4
        i32.lt_u
        if ;; label = @3
          i32.const 1
          return
        end
        i32.const 0
        i32.const 0
        i32.store offset=1092 align=1
      end
      i32.const 0
      i32.load offset=1024 align=1
      local.set 13
      i32.const 0
      i64.load32_s offset=1040 align=1
      local.set 14
      i32.const 0
      i64.load offset=1056 align=1
      local.set 15
      i32.const 0
      i32.load offset=96 align=1
      local.set 16
      local.get 16
      local.get 16
      i32.load offset=4 align=1
      i32.add
      local.set 17
      local.get 16
      i32.load offset=8 align=1
      local.set 18
      local.get 16
      local.get 16
      i32.load offset=12 align=1
      i32.add
      local.set 19
      local.get 16
      i32.load offset=16 align=1
      local.set 20
      local.get 16
      i64.load offset=32 align=1
      local.set 21
      local.get 16
      i64.load offset=24 align=1
      local.set 22
      i32.const 0
      i32.load offset=1456 align=1
      local.set 23
      i32.const 0
      i32.load offset=1460 align=1
      local.set 24
      i32.const 0
      i32.load offset=1464 align=1
      local.set 25
      i32.const 0
      local.set 26
      i32.const 0
      i32.load offset=1480 align=1
      local.set 27
      i32.const 8
      local.set 28
      i32.const 0
      i32.const 1
      i32.store offset=2384 align=1
    end
    i32.const 0
    i32.load offset=2384 align=1
    i32.const 1
    i32.eq
    if ;; label = @1
      i32.const 0
      i32.const 1
      i32.store offset=1136 align=1
      i32.const 0
      i32.const 2
      i32.store offset=2384 align=1
    end
    i32.const 0
    i32.load offset=2384 align=1
    i32.const 2
    i32.eq
    if ;; label = @1
      i32.const 0
      i32.load offset=1584 align=1
      if ;; label = @2
        i32.const 0
        i32.load offset=1584 align=1
        i32.const 1
        i32.eq
        if ;; label = @3
          i32.const 0
          i32.load offset=1528 align=1
          i32.const 0
          i32.load offset=1524 align=1
          i32.const 0
          i32.load offset=1596 align=1
          select
          local.set 29
          i32.const 0
          i32.load offset=1588 align=1
          local.set 30
          local.get 29
          local.get 30
          i32.sub
          local.set 31
          local.get 30
          local.get 31
          i32.const 65536
          local.get 31
          i32.const 65536
          i32.lt_u
          select
          i32.add
          local.set 32
          local.get 30
          local.get 32
          i32.lt_u
          if ;; label = @4
            loop ;; label = @5
              i32.const 0
              i32.load offset=1596 align=1
              if ;; label = @6
                i32.const 0
                i32.load offset=1552 align=1
                local.get 30
                i32.const 28
                i32.mul
                i32.add
                i32.load offset=24 align=1
                local.set 33
              else
                i32.const 0
                i32.load offset=1520 align=1
                local.get 30
                i32.const 10
                i32.shr_u
                i32.const 2
                i32.shl
                i32.add
                i32.load align=1
                local.get 30
                i32.const 1023
                i32.and
                i32.const 64
                i32.mul
                i32.add
                local.set 33
              end
              i32.const 0
              i32.load offset=1552 align=1
              local.get 30
              i32.const 28
              i32.mul
              i32.add
              local.set 34
              local.get 34
              local.get 33
              i64.load align=1
              i64.store align=1
              local.get 34
              local.get 33
              i64.load offset=8 align=1
              i64.store offset=8 align=1
              local.get 34
              local.get 33
              i64.load offset=16 align=1
              i64.store offset=16 align=1
              local.get 34
              local.get 33
              i32.store offset=24 align=1
              local.get 30
              i32.const 1
              i32.add
              local.set 30
              local.get 30
              local.get 32
              i32.lt_u
              br_if 0 (;@5;)
            end
          end
          i32.const 0
          local.get 32
          i32.store offset=1588 align=1
          local.get 32
          local.get 29
          i32.lt_u
          if ;; label = @4
            i32.const 1
            return
          end
          i32.const 0
          i32.load offset=1528 align=1
          i32.const 28
          i32.mul
          local.set 35
          i32.const 0
          i32.load offset=1556 align=1
          local.get 35
          i32.add
          i32.const 0
          i32.load offset=1552 align=1
          local.get 35
          i32.add
          i32.const 0
          i32.load offset=1524 align=1
          i32.const 28
          i32.mul
          local.get 35
          i32.sub
          memory.copy
          i32.const 0
          i32.const 28
          i32.store offset=1560 align=1
          i32.const 0
          i32.const 0
          i32.store offset=1564 align=1
          i32.const 0
          i32.const 0
          i32.store offset=1568 align=1
          i32.const 0
          i32.const 28
          i32.store offset=1572 align=1
          i32.const 0
          i32.const 2
          i32.store offset=1584 align=1
        end
        i32.const 0
        i32.load offset=1528 align=1
        i32.const 28
        i32.mul
        local.set 36
        i32.const 0
        i32.load offset=1552 align=1
        local.set 37
        i32.const 0
        i32.load offset=1556 align=1
        local.set 38
        i32.const 0
        i32.load offset=1568 align=1
        local.set 39
        i32.const 0
        i32.load offset=1572 align=1
        local.set 40
        i32.const 2097152
        local.set 43
        i32.const 0
        i32.load offset=1560 align=1
        local.set 44
        i32.const 0
        i32.load offset=1564 align=1
        local.set 45
        block ;; label = @3
          block ;; label = @4
            loop ;; label = @5
              local.get 36
              local.get 44
              i32.le_u
              br_if 2 (;@3;)
              local.get 36
              local.get 45
              i32.le_u
              if ;; label = @6
                local.get 38
                local.set 46
                local.get 37
                local.set 38
                local.get 46
                local.set 37
                local.get 44
                i32.const 1
                i32.shl
                local.set 44
                i32.const 0
                local.set 45
                i32.const 0
                local.set 39
                local.get 44
                local.set 40
                br 1 (;@5;)
              end
              local.get 45
              local.get 44
              i32.add
              local.get 36
              local.get 45
              local.get 44
              i32.add
              local.get 36
              i32.lt_u
              select
              local.set 41
              local.get 41
              local.get 44
              i32.add
              local.get 36
              local.get 41
              local.get 44
              i32.add
              local.get 36
              i32.lt_u
              select
              local.set 42
              local.get 40
              local.get 42
              local.get 40
              local.get 42
              i32.lt_u
              select
              local.set 40
              block ;; label = @6
                loop ;; label = @7
                  local.get 39
                  local.get 41
                  i32.lt_u
                  local.get 40
                  local.get 42
                  i32.lt_u
                  i32.and
                  i32.eqz
                  br_if 1 (;@6;)
                  local.get 43
                  i32.const 0
                  i32.le_s
                  br_if 3 (;@4;)
                  local.get 37
                  local.get 39
                  i32.add
                  local.set 47
                  local.get 37
                  local.get 40
                  i32.add
                  local.set 48
                  local.get 38
                  local.get 39
                  i32.add
                  local.get 40
                  i32.add
                  local.get 41
                  i32.sub
                  local.set 49
                  local.get 48
                  i64.load align=1
                  local.get 47
                  i64.load align=1
                  i64.lt_u
                  local.get 48
                  i64.load align=1
                  local.get 47
                  i64.load align=1
                  i64.eq
                  local.get 48
                  i64.load offset=8 align=1
                  local.get 47
                  i64.load offset=8 align=1
                  i64.lt_u
                  local.get 48
                  i64.load offset=8 align=1
                  local.get 47
                  i64.load offset=8 align=1
                  i64.eq
                  local.get 48
                  i64.load offset=16 align=1
                  local.get 47
                  i64.load offset=16 align=1
                  i64.lt_u
                  i32.and
                  i32.or
                  i32.and
                  i32.or
                  local.set 50
                  local.get 48
                  local.get 47
                  local.get 50
                  select
                  local.set 51
                  local.get 49
                  local.get 51
                  i64.load align=1
                  i64.store align=1
                  local.get 49
                  local.get 51
                  i64.load offset=8 align=1
                  i64.store offset=8 align=1
                  local.get 49
                  local.get 51
                  i64.load offset=16 align=1
                  i64.store offset=16 align=1
                  local.get 49
                  local.get 51
                  i32.load offset=24 align=1
                  i32.store offset=24 align=1
                  local.get 50
                  i32.const 28
                  i32.mul
                  local.set 52
                  local.get 40
                  local.get 52
                  i32.add
                  local.set 40
                  local.get 39
                  i32.const 28
                  local.get 52
                  i32.sub
                  i32.add
                  local.set 39
                  local.get 43
                  i32.const 28
                  i32.sub
                  local.set 43
                  br 0 (;@7;)
                end
              end
              local.get 41
              local.get 39
              i32.sub
              local.set 53
              local.get 42
              local.get 40
              i32.sub
              local.set 54
              local.get 53
              local.get 54
              i32.add
              local.set 55
              local.get 55
              i32.const 0
              local.get 43
              local.get 43
              i32.const 0
              i32.le_s
              select
              local.get 55
              i32.const 0
              local.get 43
              local.get 43
              i32.const 0
              i32.le_s
              select
              i32.lt_u
              select
              local.set 56
              local.get 38
              local.get 39
              i32.add
              local.get 40
              i32.add
              local.get 41
              i32.sub
              local.get 37
              local.get 39
              local.get 40
              local.get 53
              select
              i32.add
              local.get 56
              memory.copy
              local.get 43
              local.get 56
              i32.sub
              local.set 43
              local.get 53
              if ;; label = @6
                local.get 39
                local.get 56
                i32.add
                local.set 39
              else
                local.get 40
                local.get 56
                i32.add
                local.set 40
              end
              local.get 56
              local.get 55
              i32.lt_u
              br_if 1 (;@4;)
              local.get 43
              i32.const 64
              i32.sub
              local.set 43
              local.get 42
              local.set 45
              local.get 45
              local.set 39
              local.get 45
              local.get 44
              i32.add
              local.set 40
              br 0 (;@5;)
            end
          end
          i32.const 0
          local.get 37
          i32.store offset=1552 align=1
          i32.const 0
          local.get 38
          i32.store offset=1556 align=1
          i32.const 0
          local.get 39
          i32.store offset=1568 align=1
          i32.const 0
          local.get 40
          i32.store offset=1572 align=1
          i32.const 0
          local.get 44
          i32.store offset=1560 align=1
          i32.const 0
          local.get 45
          i32.store offset=1564 align=1
          i32.const 1
          return
        end
        i32.const 0
        local.get 37
        i32.store offset=1552 align=1
        i32.const 0
        local.get 38
        i32.store offset=1556 align=1
        i32.const 0
        local.get 39
        i32.store offset=1568 align=1
        i32.const 0
        local.get 40
        i32.store offset=1572 align=1
        i32.const 0
        local.get 44
        i32.store offset=1560 align=1
        i32.const 0
        local.get 45
        i32.store offset=1564 align=1
        i32.const 0
        i64.load offset=1056 align=1
        i64.const 268435456
        i32.const 0
        i64.load offset=1056 align=1
        i64.const 268435456
        i64.lt_u
        select
        i32.wrap_i64
        local.set 57
        local.get 57
        local.set 58
        i32.const 0
        i32.load offset=1528 align=1
        local.get 57
        i32.lt_u
        if ;; label = @3
          i32.const 0
          i32.load offset=1528 align=1
          local.set 58
        end
        i32.const 0
        local.get 58
        i32.store offset=1528 align=1
        i32.const 0
        local.get 58
        i32.store offset=1588 align=1
        i32.const 0
        i32.const 0
        i32.store offset=1584 align=1
        i32.const 0
        local.get 57
        i32.const 0
        i32.ne
        i32.store offset=1596 align=1
        local.get 57
        i32.eqz
        if ;; label = @3
          i32.const 0
          i32.const 0
          i32.store offset=1588 align=1
        end
      end
      i32.const 0
      i32.load offset=1024 align=1
      local.set 59
      i32.const 0
      i64.load32_s offset=1040 align=1
      local.set 60
      i32.const 0
      i64.load offset=1056 align=1
      local.set 61
      i32.const 32
      local.set 62
      i32.const 1024
      local.set 63
      block ;; label = @2
        loop ;; label = @3
          i32.const 0
          i32.load offset=1080 align=1
          i32.const 0
          i32.load offset=1140 align=1
          i32.sub
          i32.const 0
          i32.const 0
          i32.load offset=1136 align=1
          select
          i32.eqz
          br_if 1 (;@2;)
          local.get 62
          i32.eqz
          if ;; label = @4
            i32.const 1
            return
          end
          i32.const 0
          i32.load offset=1524 align=1
          i32.const 0
          i64.load offset=1056 align=1
          i64.const 268435456
          i32.const 0
          i64.load offset=1056 align=1
          i64.const 268435456
          i64.lt_u
          select
          i32.wrap_i64
          i32.const 1
          i32.shl
          i32.const 8192
          i32.add
          i32.const 0
          i32.load offset=1596 align=1
          select
          local.set 64
          local.get 64
          i32.const 0
          i32.load offset=1528 align=1
          i32.const 1024
          i32.add
          i32.lt_u
          if ;; label = @4
            i32.const 0
            i32.load offset=1524 align=1
            local.set 65
            i32.const 0
            i32.load offset=1592 align=1
            local.get 65
            i32.lt_u
            if ;; label = @5
              local.get 65
              i32.const 28
              i32.mul
              local.set 66
              local.get 66
              i32.const 1
              i32.shl
              call 4
              local.set 67
              local.get 67
              i32.eqz
              if ;; label = @6
                i32.const 2
                return
              end
              i32.const 0
              local.get 67
              i32.store offset=1552 align=1
              i32.const 0
              local.get 67
              local.get 66
              i32.add
              i32.store offset=1556 align=1
              i32.const 0
              local.get 65
              i32.store offset=1592 align=1
            end
            i32.const 0
            i32.const 1
            i32.store offset=1584 align=1
            i32.const 1
            return
          end
          i32.const 0
          i32.load offset=1520 align=1
          i32.eqz
          if ;; label = @4
            i32.const 524288
            call 4
            local.set 68
            local.get 68
            i32.eqz
            if ;; label = @5
              i32.const 2
              return
            end
            i32.const 0
            local.get 68
            i32.store offset=1520 align=1
          end
          i32.const 0
          i32.load offset=1524 align=1
          i32.const 0
          i32.load offset=1528 align=1
          i32.const 1024
          i32.add
          i32.lt_u
          if ;; label = @4
            i32.const 65536
            call 4
            local.set 69
            local.get 69
            i32.eqz
            if ;; label = @5
              i32.const 2
              return
            end
            i32.const 0
            i32.load offset=1520 align=1
            i32.const 0
            i32.load offset=1524 align=1
            i32.const 10
            i32.shr_u
            i32.const 2
            i32.shl
            i32.add
            local.get 69
            i32.store align=1
            i32.const 0
            i32.const 0
            i32.load offset=1524 align=1
            i32.const 1024
            i32.add
            i32.store offset=1524 align=1
          end
          i32.const 0
          local.set 70
          i32.const 0
          i32.load offset=1596 align=1
          if ;; label = @4
            i32.const 0
            i32.load offset=1552 align=1
            i32.const 0
            i64.load offset=1056 align=1
            i64.const 268435456
            i32.const 0
            i64.load offset=1056 align=1
            i64.const 268435456
            i64.lt_u
            select
            i32.wrap_i64
            i32.const 1
            i32.sub
            i32.const 28
            i32.mul
            i32.add
            local.set 70
          end
          i32.const 0
          i32.load offset=1080 align=1
          local.set 71
          i32.const 0
          i32.load offset=1136 align=1
          if ;; label = @4
            i32.const 0
            i32.load offset=1140 align=1
            local.set 72
            local.get 71
            local.get 72
            i32.sub
            local.set 73
            local.get 72
            local.get 73
            local.get 63
            local.get 73
            local.get 63
            i32.lt_u
            select
            i32.add
            local.set 74
            local.get 72
            local.get 74
            i32.lt_u
            if ;; label = @5
              loop ;; label = @6
                i32.const 0
                i32.load offset=1084 align=1
                local.get 72
                i32.const 10
                i32.shr_u
                i32.const 2
                i32.shl
                i32.add
                i32.load align=1
                local.get 72
                i32.const 1023
                i32.and
                i32.const 40
                i32.mul
                i32.add
                local.set 75
                local.get 75
                i64.load align=1
                local.set 76
                local.get 75
                i32.load offset=8 align=1
                local.set 77
                local.get 75
                i32.load offset=16 align=1
                local.set 78
                local.get 75
                i32.const 24
                i32.add
                local.set 79
                local.get 79
                i64.load align=1
                local.get 79
                i64.load offset=8 align=1
                local.set 81
                local.set 80
                i32.const 0
                local.set 82
                local.get 82
                i32.eqz
                i64.extend_i32_u
                local.set 83
                i64.const 0
                local.get 81
                i64.const -9223372036854775808
                i64.xor
                i64.const -1
                i64.xor
                local.get 82
                select
                local.set 84
                local.get 83
                i64.const 63
                i64.shl
                local.get 84
                i64.const 1
                i64.shr_u
                i64.or
                local.set 85
                local.get 84
                i64.const 1
                i64.and
                local.set 86
                i64.const 0
                local.get 80
                i64.const -1
                i64.xor
                local.get 82
                select
                local.set 87
                local.get 86
                i64.const 63
                i64.shl
                local.get 87
                i64.const 1
                i64.shr_u
                i64.or
                local.set 88
                local.get 87
                i64.const 1
                i64.and
                local.set 89
                local.get 77
                i64.extend_i32_u
                i64.const 4294967295
                i64.and
                i64.const 2147483648
                i64.xor
                local.set 90
                local.get 89
                i64.const 32
                i64.shl
                local.get 90
                i64.or
                local.set 91
                local.get 91
                i64.const 31
                i64.shl
                local.set 92
                i32.const 1
                local.set 93
                local.get 70
                if ;; label = @7
                  local.get 85
                  local.get 70
                  i64.load align=1
                  i64.lt_u
                  local.get 85
                  local.get 70
                  i64.load align=1
                  i64.eq
                  local.get 88
                  local.get 70
                  i64.load offset=8 align=1
                  i64.lt_u
                  local.get 88
                  local.get 70
                  i64.load offset=8 align=1
                  i64.eq
                  local.get 92
                  local.get 70
                  i64.load offset=16 align=1
                  i64.lt_u
                  local.get 92
                  local.get 70
                  i64.load offset=16 align=1
                  i64.eq
                  i32.const 0
                  i32.and
                  i32.or
                  i32.and
                  i32.or
                  i32.and
                  i32.or
                  local.set 93
                end
                local.get 93
                if ;; label = @7
                  i32.const 0
                  i32.load offset=1528 align=1
                  local.set 94
                  i32.const 0
                  i32.load offset=1596 align=1
                  if ;; label = @8
                    i32.const 0
                    i32.load offset=1552 align=1
                    local.get 94
                    i32.const 28
                    i32.mul
                    i32.add
                    i32.load offset=24 align=1
                    local.set 95
                  else
                    i32.const 0
                    i32.load offset=1520 align=1
                    local.get 94
                    i32.const 10
                    i32.shr_u
                    i32.const 2
                    i32.shl
                    i32.add
                    i32.load align=1
                    local.get 94
                    i32.const 1023
                    i32.and
                    i32.const 64
                    i32.mul
                    i32.add
                    local.set 95
                  end
                  local.get 95
                  local.get 85
                  i64.store align=1
                  local.get 95
                  local.get 88
                  i64.store offset=8 align=1
                  local.get 95
                  local.get 92
                  i64.store offset=16 align=1
                  local.get 95
                  local.get 76
                  i64.store offset=32 align=1
                  local.get 95
                  local.get 77
                  i32.store offset=24 align=1
                  local.get 95
                  local.get 78
                  i32.store offset=28 align=1
                  local.get 95
                  local.get 80
                  i64.store offset=40 align=1
                  local.get 95
                  local.get 81
                  i64.store offset=48 align=1
                  local.get 95
                  local.get 82
                  i32.store8 offset=56
                  i32.const 0
                  local.get 94
                  i32.const 1
                  i32.add
                  i32.store offset=1528 align=1
                end
                local.get 72
                i32.const 1
                i32.add
                local.set 72
                local.get 72
                local.get 74
                i32.lt_u
                br_if 0 (;@6;)
              end
            end
            i32.const 0
            local.get 74
            i32.store offset=1140 align=1
          end
          local.get 62
          i32.const 1
          i32.sub
          local.set 62
          br 0 (;@3;)
        end
      end
      i32.const 0
      i32.load offset=1600 align=1
      i32.eqz
      if ;; label = @2
        i32.const 0
        i32.load offset=1584 align=1
        i32.eqz
        if ;; label = @3
          i32.const 0
          i32.load offset=1524 align=1
          local.set 96
          i32.const 0
          i32.load offset=1592 align=1
          local.get 96
          i32.lt_u
          if ;; label = @4
            local.get 96
            i32.const 28
            i32.mul
            local.set 97
            local.get 97
            i32.const 1
            i32.shl
            call 4
            local.set 98
            local.get 98
            i32.eqz
            if ;; label = @5
              i32.const 2
              return
            end
            i32.const 0
            local.get 98
            i32.store offset=1552 align=1
            i32.const 0
            local.get 98
            local.get 97
            i32.add
            i32.store offset=1556 align=1
            i32.const 0
            local.get 96
            i32.store offset=1592 align=1
          end
          i32.const 0
          i32.const 1
          i32.store offset=1584 align=1
        end
        i32.const 0
        i32.load offset=1584 align=1
        i32.const 1
        i32.eq
        if ;; label = @3
          i32.const 0
          i32.load offset=1528 align=1
          i32.const 0
          i32.load offset=1524 align=1
          i32.const 0
          i32.load offset=1596 align=1
          select
          local.set 99
          i32.const 0
          i32.load offset=1588 align=1
          local.set 100
          local.get 99
          local.get 100
          i32.sub
          local.set 101
          local.get 100
          local.get 101
          i32.const 65536
          local.get 101
          i32.const 65536
          i32.lt_u
          select
          i32.add
          local.set 102
          local.get 100
          local.get 102
          i32.lt_u
          if ;; label = @4
            loop ;; label = @5
              i32.const 0
              i32.load offset=1596 align=1
              if ;; label = @6
                i32.const 0
                i32.load offset=1552 align=1
                local.get 100
                i32.const 28
                i32.mul
                i32.add
                i32.load offset=24 align=1
                local.set 103
              else
                i32.const 0
                i32.load offset=1520 align=1
                local.get 100
                i32.const 10
                i32.shr_u
                i32.const 2
                i32.shl
                i32.add
                i32.load align=1
                local.get 100
                i32.const 1023
                i32.and
                i32.const 64
                i32.mul
                i32.add
                local.set 103
              end
              i32.const 0
              i32.load offset=1552 align=1
              local.get 100
              i32.const 28
              i32.mul
              i32.add
              local.set 104
              local.get 104
              local.get 103
              i64.load align=1
              i64.store align=1
              local.get 104
              local.get 103
              i64.load offset=8 align=1
              i64.store offset=8 align=1
              local.get 104
              local.get 103
              i64.load offset=16 align=1
              i64.store offset=16 align=1
              local.get 104
              local.get 103
              i32.store offset=24 align=1
              local.get 100
              i32.const 1
              i32.add
              local.set 100
              local.get 100
              local.get 102
              i32.lt_u
              br_if 0 (;@5;)
            end
          end
          i32.const 0
          local.get 102
          i32.store offset=1588 align=1
          local.get 102
          local.get 99
          i32.lt_u
          if ;; label = @4
            i32.const 1
            return
          end
          i32.const 0
          i32.load offset=1528 align=1
          i32.const 28
          i32.mul
          local.set 105
          i32.const 0
          i32.load offset=1556 align=1
          local.get 105
          i32.add
          i32.const 0
          i32.load offset=1552 align=1
          local.get 105
          i32.add
          i32.const 0
          i32.load offset=1524 align=1
          i32.const 28
          i32.mul
          local.get 105
          i32.sub
          memory.copy
          i32.const 0
          i32.const 28
          i32.store offset=1560 align=1
          i32.const 0
          i32.const 0
          i32.store offset=1564 align=1
          i32.const 0
          i32.const 0
          i32.store offset=1568 align=1
          i32.const 0
          i32.const 28
          i32.store offset=1572 align=1
          i32.const 0
          i32.const 2
          i32.store offset=1584 align=1
        end
        i32.const 0
        i32.load offset=1528 align=1
        i32.const 28
        i32.mul
        local.set 106
        i32.const 0
        i32.load offset=1552 align=1
        local.set 107
        i32.const 0
        i32.load offset=1556 align=1
        local.set 108
        i32.const 0
        i32.load offset=1568 align=1
        local.set 109
        i32.const 0
        i32.load offset=1572 align=1
        local.set 110
        i32.const 2097152
        local.set 113
        i32.const 0
        i32.load offset=1560 align=1
        local.set 114
        i32.const 0
        i32.load offset=1564 align=1
        local.set 115
        block ;; label = @3
          block ;; label = @4
            loop ;; label = @5
              local.get 106
              local.get 114
              i32.le_u
              br_if 2 (;@3;)
              local.get 106
              local.get 115
              i32.le_u
              if ;; label = @6
                local.get 108
                local.set 116
                local.get 107
                local.set 108
                local.get 116
                local.set 107
                local.get 114
                i32.const 1
                i32.shl
                local.set 114
                i32.const 0
                local.set 115
                i32.const 0
                local.set 109
                local.get 114
                local.set 110
                br 1 (;@5;)
              end
              local.get 115
              local.get 114
              i32.add
              local.get 106
              local.get 115
              local.get 114
              i32.add
              local.get 106
              i32.lt_u
              select
              local.set 111
              local.get 111
              local.get 114
              i32.add
              local.get 106
              local.get 111
              local.get 114
              i32.add
              local.get 106
              i32.lt_u
              select
              local.set 112
              local.get 110
              local.get 112
              local.get 110
              local.get 112
              i32.lt_u
              select
              local.set 110
              block ;; label = @6
                loop ;; label = @7
                  local.get 109
                  local.get 111
                  i32.lt_u
                  local.get 110
                  local.get 112
                  i32.lt_u
                  i32.and
                  i32.eqz
                  br_if 1 (;@6;)
                  local.get 113
                  i32.const 0
                  i32.le_s
                  br_if 3 (;@4;)
                  local.get 107
                  local.get 109
                  i32.add
                  local.set 117
                  local.get 107
                  local.get 110
                  i32.add
                  local.set 118
                  local.get 108
                  local.get 109
                  i32.add
                  local.get 110
                  i32.add
                  local.get 111
                  i32.sub
                  local.set 119
                  local.get 118
                  i64.load align=1
                  local.get 117
                  i64.load align=1
                  i64.lt_u
                  local.get 118
                  i64.load align=1
                  local.get 117
                  i64.load align=1
                  i64.eq
                  local.get 118
                  i64.load offset=8 align=1
                  local.get 117
                  i64.load offset=8 align=1
                  i64.lt_u
                  local.get 118
                  i64.load offset=8 align=1
                  local.get 117
                  i64.load offset=8 align=1
                  i64.eq
                  local.get 118
                  i64.load offset=16 align=1
                  local.get 117
                  i64.load offset=16 align=1
                  i64.lt_u
                  i32.and
                  i32.or
                  i32.and
                  i32.or
                  local.set 120
                  local.get 118
                  local.get 117
                  local.get 120
                  select
                  local.set 121
                  local.get 119
                  local.get 121
                  i64.load align=1
                  i64.store align=1
                  local.get 119
                  local.get 121
                  i64.load offset=8 align=1
                  i64.store offset=8 align=1
                  local.get 119
                  local.get 121
                  i64.load offset=16 align=1
                  i64.store offset=16 align=1
                  local.get 119
                  local.get 121
                  i32.load offset=24 align=1
                  i32.store offset=24 align=1
                  local.get 120
                  i32.const 28
                  i32.mul
                  local.set 122
                  local.get 110
                  local.get 122
                  i32.add
                  local.set 110
                  local.get 109
                  i32.const 28
                  local.get 122
                  i32.sub
                  i32.add
                  local.set 109
                  local.get 113
                  i32.const 28
                  i32.sub
                  local.set 113
                  br 0 (;@7;)
                end
              end
              local.get 111
              local.get 109
              i32.sub
              local.set 123
              local.get 112
              local.get 110
              i32.sub
              local.set 124
              local.get 123
              local.get 124
              i32.add
              local.set 125
              local.get 125
              i32.const 0
              local.get 113
              local.get 113
              i32.const 0
              i32.le_s
              select
              local.get 125
              i32.const 0
              local.get 113
              local.get 113
              i32.const 0
              i32.le_s
              select
              i32.lt_u
              select
              local.set 126
              local.get 108
              local.get 109
              i32.add
              local.get 110
              i32.add
              local.get 111
              i32.sub
              local.get 107
              local.get 109
              local.get 110
              local.get 123
              select
              i32.add
              local.get 126
              memory.copy
              local.get 113
              local.get 126
              i32.sub
              local.set 113
              local.get 123
              if ;; label = @6
                local.get 109
                local.get 126
                i32.add
                local.set 109
              else
                local.get 110
                local.get 126
                i32.add
                local.set 110
              end
              local.get 126
              local.get 125
              i32.lt_u
              br_if 1 (;@4;)
              local.get 113
              i32.const 64
              i32.sub
              local.set 113
              local.get 112
              local.set 115
              local.get 115
              local.set 109
              local.get 115
              local.get 114
              i32.add
              local.set 110
              br 0 (;@5;)
            end
          end
          i32.const 0
          local.get 107
          i32.store offset=1552 align=1
          i32.const 0
          local.get 108
          i32.store offset=1556 align=1
          i32.const 0
          local.get 109
          i32.store offset=1568 align=1
          i32.const 0
          local.get 110
          i32.store offset=1572 align=1
          i32.const 0
          local.get 114
          i32.store offset=1560 align=1
          i32.const 0
          local.get 115
          i32.store offset=1564 align=1
          i32.const 1
          return
        end
        i32.const 0
        local.get 107
        i32.store offset=1552 align=1
        i32.const 0
        local.get 108
        i32.store offset=1556 align=1
        i32.const 0
        local.get 109
        i32.store offset=1568 align=1
        i32.const 0
        local.get 110
        i32.store offset=1572 align=1
        i32.const 0
        local.get 114
        i32.store offset=1560 align=1
        i32.const 0
        local.get 115
        i32.store offset=1564 align=1
        i32.const 0
        i64.load offset=1056 align=1
        i64.const 268435456
        i32.const 0
        i64.load offset=1056 align=1
        i64.const 268435456
        i64.lt_u
        select
        i32.wrap_i64
        local.set 127
        local.get 127
        local.set 128
        i32.const 0
        i32.load offset=1528 align=1
        local.get 127
        i32.lt_u
        if ;; label = @3
          i32.const 0
          i32.load offset=1528 align=1
          local.set 128
        end
        i32.const 0
        local.get 128
        i32.store offset=1528 align=1
        i32.const 0
        local.get 128
        i32.store offset=1588 align=1
        i32.const 0
        i32.const 0
        i32.store offset=1584 align=1
        i32.const 0
        local.get 127
        i32.const 0
        i32.ne
        i32.store offset=1596 align=1
        local.get 127
        i32.eqz
        if ;; label = @3
          i32.const 0
          i32.const 0
          i32.store offset=1588 align=1
        end
        i32.const 0
        i32.const 1
        i32.store offset=1600 align=1
      end
      i32.const 0
      i32.const 3
      i32.store offset=2384 align=1
    end
    i32.const 0
    return
    unreachable
  )
  (func (;18;) (type 18) (param i32) (result i32)
    (local i32 i32 i32 i64 i64 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i64 i32 i64 i64 i32 i32 i32 i32 i32 i32 i32)
    local.get 0
    i32.const 0
    i32.load offset=2048 align=1
    i32.gt_u
    if ;; label = @1
      local.get 0
      i32.const 63
      i32.add
      i32.const -64
      i32.and
      local.set 1
      local.get 1
      i32.const 34
      i32.mul
      call 4
      local.set 2
      local.get 2
      i32.eqz
      if ;; label = @2
        i32.const 2
        return
      end
      i32.const 0
      local.get 2
      i32.store offset=2052 align=1
      i32.const 0
      local.get 1
      i32.store offset=2048 align=1
    end
    i32.const 0
    i32.load offset=1024 align=1
    local.set 3
    i32.const 0
    i64.load32_s offset=1040 align=1
    local.set 4
    i32.const 0
    i64.load offset=1056 align=1
    local.set 5
    i32.const 0
    i32.load offset=2052 align=1
    i32.const 0
    i32.load offset=2048 align=1
    i32.const 0
    i32.mul
    i32.add
    local.set 6
    i32.const 0
    i32.load offset=2052 align=1
    i32.const 0
    i32.load offset=2048 align=1
    i32.const 8
    i32.mul
    i32.add
    local.set 7
    i32.const 0
    i32.load offset=2052 align=1
    i32.const 0
    i32.load offset=2048 align=1
    i32.const 24
    i32.mul
    i32.add
    local.set 8
    i32.const 0
    i32.load offset=2052 align=1
    i32.const 0
    i32.load offset=2048 align=1
    i32.const 25
    i32.mul
    i32.add
    local.set 9
    i32.const 0
    i32.load offset=2052 align=1
    i32.const 0
    i32.load offset=2048 align=1
    i32.const 26
    i32.mul
    i32.add
    local.set 10
    i32.const 0
    i32.load offset=2052 align=1
    i32.const 0
    i32.load offset=2048 align=1
    i32.const 30
    i32.mul
    i32.add
    local.set 11
    i32.const 0
    local.set 12
    i32.const 0
    i32.load offset=1528 align=1
    i32.const 0
    i32.load offset=1604 align=1
    i32.sub
    i32.const 0
    i32.const 0
    i32.load offset=1600 align=1
    select
    local.set 13
    i32.const 0
    i32.load offset=1604 align=1
    local.set 14
    local.get 14
    local.get 13
    local.get 0
    local.get 13
    local.get 0
    i32.lt_u
    select
    i32.add
    local.set 15
    local.get 14
    local.get 15
    i32.lt_u
    if ;; label = @1
      loop ;; label = @2
        i32.const 0
        i32.load offset=1552 align=1
        local.get 14
        i32.const 28
        i32.mul
        i32.add
        i32.load offset=24 align=1
        local.set 16
        local.get 16
        i64.load offset=32 align=1
        local.set 17
        local.get 6
        local.get 12
        i32.const 8
        i32.mul
        i32.add
        local.set 18
        local.get 18
        local.get 17
        i64.store align=1
        local.get 16
        i64.load offset=40 align=1
        local.get 16
        i64.load offset=48 align=1
        local.set 20
        local.set 19
        local.get 16
        i32.load8_u offset=56
        local.set 21
        local.get 7
        local.get 12
        i32.const 16
        i32.mul
        i32.add
        local.set 22
        local.get 22
        local.get 19
        i64.store align=1
        local.get 22
        local.get 20
        i64.store offset=8 align=1
        local.get 8
        local.get 12
        i32.add
        local.get 21
        i32.eqz
        i32.store8
        local.get 16
        i32.load offset=24 align=1
        local.set 23
        local.get 10
        local.get 12
        i32.const 4
        i32.mul
        i32.add
        local.set 24
        local.get 24
        local.get 23
        i32.store align=1
        local.get 16
        i32.load offset=28 align=1
        local.set 25
        local.get 11
        local.get 12
        i32.const 4
        i32.mul
        i32.add
        local.set 26
        local.get 26
        local.get 25
        i32.store align=1
        local.get 12
        i32.const 1
        i32.add
        local.set 12
        local.get 14
        i32.const 1
        i32.add
        local.set 14
        local.get 14
        local.get 15
        i32.lt_u
        br_if 0 (;@2;)
      end
    end
    i32.const 0
    local.get 15
    i32.store offset=1604 align=1
    i32.const 0
    local.get 6
    i32.store offset=1920 align=1
    i32.const 0
    local.get 12
    i32.store offset=1936 align=1
    i32.const 0
    local.get 7
    i32.store offset=1952 align=1
    local.get 8
    local.get 12
    local.get 9
    call 5
    i32.const 0
    local.get 9
    i32.store offset=1956 align=1
    i32.const 0
    local.get 12
    i32.store offset=1968 align=1
    i32.const 0
    local.get 10
    i32.store offset=1984 align=1
    i32.const 0
    local.get 12
    i32.store offset=2000 align=1
    i32.const 0
    local.get 11
    i32.store offset=2016 align=1
    i32.const 0
    local.get 12
    i32.store offset=2032 align=1
    i32.const 0
    local.get 12
    i32.store offset=2064 align=1
    i32.const 0
    i32.load offset=2064 align=1
    local.set 27
    i32.const 0
    i32.const 0
    i32.store offset=2064 align=1
    i32.const 0
    local.get 27
    i32.store offset=24 align=1
    i32.const 0
    i32.const 1920
    i32.store offset=28 align=1
    local.get 27
    i32.const 0
    i32.load offset=1528 align=1
    i32.const 0
    i32.load offset=1604 align=1
    i32.sub
    i32.const 0
    i32.const 0
    i32.load offset=1600 align=1
    select
    i32.or
    if ;; label = @1
      i32.const 1
      return
    end
    i32.const 0
    return
    unreachable
  )
)
