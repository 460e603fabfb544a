; Nullable columns: validity bits in, flags through the expression, one byte per row packed into bits out.
(fragment
  (input (column int32 nullable) (column int32 nullable))
  (params)
  (pipeline (input 0) (project (add c0 c1) (coalesce c0 c1)) (emit)))

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
    i64.const 0
    i64.store offset=632 align=1
    i32.const 0
    return
    unreachable
  )
  (func (;16;) (type 16) (param i32) (result i32)
    (local i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)
    local.get 0
    i32.const 0
    i32.load offset=1088 align=1
    i32.gt_u
    if ;; label = @1
      local.get 0
      i32.const 63
      i32.add
      i32.const -64
      i32.and
      local.set 1
      local.get 1
      i32.const 12
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
      i32.store offset=1092 align=1
      i32.const 0
      local.get 1
      i32.store offset=1088 align=1
    end
    i32.const 0
    i32.load offset=1120 align=1
    local.set 3
    i32.const 0
    i32.load offset=64 align=1
    local.set 5
    local.get 5
    i32.load align=1
    local.set 6
    local.get 5
    i32.load offset=4 align=1
    local.set 7
    local.get 5
    i32.load offset=32 align=1
    local.set 8
    local.get 5
    i32.load offset=36 align=1
    local.set 9
    i32.const 0
    i32.load offset=1092 align=1
    i32.const 0
    i32.load offset=1088 align=1
    i32.const 0
    i32.mul
    i32.add
    local.set 10
    i32.const 0
    i32.load offset=1092 align=1
    i32.const 0
    i32.load offset=1088 align=1
    i32.const 4
    i32.mul
    i32.add
    local.set 11
    i32.const 0
    i32.load offset=1092 align=1
    i32.const 0
    i32.load offset=1088 align=1
    i32.const 5
    i32.mul
    i32.add
    local.set 12
    i32.const 0
    i32.load offset=1092 align=1
    i32.const 0
    i32.load offset=1088 align=1
    i32.const 6
    i32.mul
    i32.add
    local.set 13
    i32.const 0
    i32.load offset=1092 align=1
    i32.const 0
    i32.load offset=1088 align=1
    i32.const 10
    i32.mul
    i32.add
    local.set 14
    i32.const 0
    i32.load offset=1092 align=1
    i32.const 0
    i32.load offset=1088 align=1
    i32.const 11
    i32.mul
    i32.add
    local.set 15
    i32.const 0
    local.set 16
    local.get 3
    local.get 0
    i32.lt_u
    if ;; label = @1
      loop ;; label = @2
        local.get 3
        local.set 4
        local.get 6
        local.get 4
        i32.const 4
        i32.mul
        i32.add
        i32.load align=1
        local.set 17
        local.get 7
        local.get 4
        i32.const 3
        i32.shr_u
        i32.add
        i32.load8_u
        local.get 4
        i32.const 7
        i32.and
        i32.shr_u
        i32.const 1
        i32.and
        i32.eqz
        local.set 18
        local.get 8
        local.get 4
        i32.const 4
        i32.mul
        i32.add
        i32.load align=1
        local.set 19
        local.get 9
        local.get 4
        i32.const 3
        i32.shr_u
        i32.add
        i32.load8_u
        local.get 4
        i32.const 7
        i32.and
        i32.shr_u
        i32.const 1
        i32.and
        i32.eqz
        local.set 20
        local.get 18
        local.get 20
        i32.or
        local.set 21
        local.get 17
        local.get 19
        i32.add
        local.set 22
        i32.const 0
        local.set 23
        i32.const 1
        local.set 24
        i32.const 0
        local.set 26
        block ;; label = @3
          local.get 6
          local.get 4
          i32.const 4
          i32.mul
          i32.add
          i32.load align=1
          local.set 27
          local.get 7
          local.get 4
          i32.const 3
          i32.shr_u
          i32.add
          i32.load8_u
          local.get 4
          i32.const 7
          i32.and
          i32.shr_u
          i32.const 1
          i32.and
          i32.eqz
          local.set 28
          local.get 27
          local.set 25
          local.get 28
          local.set 26
          local.get 28
          i32.eqz
          br_if 0 (;@3;)
          local.get 8
          local.get 4
          i32.const 4
          i32.mul
          i32.add
          i32.load align=1
          local.set 29
          local.get 9
          local.get 4
          i32.const 3
          i32.shr_u
          i32.add
          i32.load8_u
          local.get 4
          i32.const 7
          i32.and
          i32.shr_u
          i32.const 1
          i32.and
          i32.eqz
          local.set 30
          local.get 29
          local.set 25
          local.get 30
          local.set 26
          local.get 30
          i32.eqz
          br_if 0 (;@3;)
        end
        local.get 10
        local.get 16
        i32.const 4
        i32.mul
        i32.add
        local.set 31
        local.get 31
        local.get 22
        i32.store align=1
        local.get 11
        local.get 16
        i32.add
        local.get 21
        i32.eqz
        i32.store8
        local.get 13
        local.get 16
        i32.const 4
        i32.mul
        i32.add
        local.set 32
        local.get 32
        local.get 25
        i32.store align=1
        local.get 14
        local.get 16
        i32.add
        local.get 26
        i32.eqz
        i32.store8
        local.get 16
        i32.const 1
        i32.add
        local.set 16
        local.get 3
        i32.const 1
        i32.add
        local.set 3
        local.get 3
        local.get 0
        i32.lt_u
        br_if 0 (;@2;)
      end
    end
    i32.const 0
    local.get 10
    i32.store offset=1024 align=1
    local.get 11
    local.get 16
    local.get 12
    call 5
    i32.const 0
    local.get 12
    i32.store offset=1028 align=1
    i32.const 0
    local.get 16
    i32.store offset=1040 align=1
    i32.const 0
    local.get 13
    i32.store offset=1056 align=1
    local.get 14
    local.get 16
    local.get 15
    call 5
    i32.const 0
    local.get 15
    i32.store offset=1060 align=1
    i32.const 0
    local.get 16
    i32.store offset=1072 align=1
    i32.const 0
    local.get 16
    i32.store offset=1104 align=1
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
    i32.const 0
    return
    unreachable
  )
  (func (;18;) (type 18) (param i32) (result i32)
    (local i32)
    i32.const 0
    i32.load offset=1104 align=1
    local.set 1
    i32.const 0
    i32.const 0
    i32.store offset=1104 align=1
    i32.const 0
    local.get 1
    i32.store offset=24 align=1
    i32.const 0
    i32.const 1024
    i32.store offset=28 align=1
    local.get 1
    if ;; label = @1
      i32.const 1
      return
    end
    i32.const 0
    return
    unreachable
  )
)
